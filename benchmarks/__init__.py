"""Measurements and the making of shipped files; never imported by dlcli."""
