"""Loops over batches. They yield reports and touch no files."""
