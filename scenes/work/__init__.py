"""What long work needs: phases to show, processes, remembered results, short texts."""
