"""One module per table; each has ``run(repeats)``."""
