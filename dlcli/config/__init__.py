"""The bridge to Hydra, the schemas of the roots, the builder, and what is said about mistakes."""
