"""The command line: `etude COMMAND`, or `python -m etude COMMAND`."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command that the process was started with; the exit code.

    0: done. 1: training failed. 2: something asked for cannot be had. 130: stopped with Ctrl-C.
    """
    try:
        import click
        import rich
    except ImportError as error:
        print(
            f"etude: the command line needs click and rich ({error}); "
            "run: pip install 'etude[cli]'",
            file=sys.stderr,
        )
        return 2
    from .app import run

    return run(sys.argv[1:])
