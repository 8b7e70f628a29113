"""The command line: light to import, no torch and no Hydra before they are needed."""
