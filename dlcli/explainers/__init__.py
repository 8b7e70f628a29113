"""Explainers: inputs and classes in, signed maps out."""
