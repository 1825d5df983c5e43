"""Images, labels, exporters, batch jobs and the command line."""
