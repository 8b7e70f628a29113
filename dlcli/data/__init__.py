"""Data sets: read, check, split."""
