"""Run folders: the only writer on disk; finding, listing and locking runs. No torch in here."""
