"""``python -m dlcli`` is the same as ``dl``."""

import sys
from pathlib import Path

# ``-m`` puts the current folder first on the search path; a package lying there must not stand in for an installed one.
_HERE = str(Path.cwd())
sys.path[:] = [entry for entry in sys.path if entry not in {"", _HERE}]

from dlcli.cli import main  # noqa: E402

if __name__ == "__main__":
    main()
