"""Measures a table side by side and keeps it: ``python -m benchmarks mnist|startup|loading|overhead|…``."""

from __future__ import annotations

import argparse
import importlib
import pkgutil

from benchmarks import tables


def main() -> None:
    """Runs the tables that are named, one after the other; close everything else that uses the processor first."""
    names = [module.name for module in pkgutil.iter_modules(tables.__path__)]
    modules = {name: importlib.import_module(f"benchmarks.tables.{name}") for name in names}
    lines = "\n".join(f"  {name:<10} {(modules[name].__doc__ or '').splitlines()[0]}" for name in names)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", epilog=f"tables:\n{lines}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", nargs="+", choices=names, metavar="TABLE")
    parser.add_argument("--repeats", type=int, default=3, help="processes per side (default 3)")
    options = parser.parse_args()
    for name in options.tables:
        print(f"{name}: {(modules[name].__doc__ or '').splitlines()[0]}", flush=True)
        modules[name].run(options.repeats)


if __name__ == "__main__":
    main()
