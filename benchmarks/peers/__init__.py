"""The other side of each comparison: every script here is a whole process of its own and prints one JSON line."""
