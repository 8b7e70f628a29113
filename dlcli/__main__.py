"""``python -m dlcli`` is the same as ``dl``."""

from dlcli.cli import main

if __name__ == "__main__":
    main()
