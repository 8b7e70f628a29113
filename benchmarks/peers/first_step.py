"""``dl`` with the arguments given, up to its first optimizer step: prints the CPU seconds that the process took so far."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any


def main() -> None:
    """Runs dl, and ends the process after the first step of any torch optimizer."""
    from torch.optim.optimizer import register_optimizer_step_post_hook

    from dlcli.cli import main as dl

    def stop(*_: Any) -> None:
        print(json.dumps({"cpu_to_first_step": time.process_time(), "dynamo_loaded": "torch._dynamo" in sys.modules}), flush=True)
        os._exit(0)

    register_optimizer_step_post_hook(stop)
    dl(sys.argv[1:])


if __name__ == "__main__":
    main()
