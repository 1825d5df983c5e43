"""The proving ground: worlds reconstructed from their recordings alone, scored against truth."""
