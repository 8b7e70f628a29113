"""Numbers about predictions, with their uncertainty."""
