"""Plots, terminal pictures and tables. Returns bytes or renderables; writes nothing."""
