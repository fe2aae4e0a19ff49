"""The thread pool's stress test, plain or under ThreadSanitizer: python tests/sanitize_pool.py."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ["tests/pool_stress.c", "kernels/c/pool.c"]


def compiler() -> str:
    """The C compiler's command."""
    return os.environ.get("CC", "cc")


def build(folder: str, *flags: str) -> subprocess.CompletedProcess[str]:
    """Compile the stress test to folder/stress."""
    command = [*compiler().split(), "-O2", "-g", "-std=gnu11", *flags, "-Ikernels/c", *SOURCES]
    command += ["-o", f"{folder}/stress", "-pthread"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def stress(folder: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it: the number of loops, and "no-fork" to leave the forks out."""
    command = [f"{folder}/stress", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def main(loops: str = "20000") -> int:
    """Everything plain, then all but the forks under ThreadSanitizer."""
    with tempfile.TemporaryDirectory() as folder:
        for title, flags, arguments in (
            ("plain", [], [loops]),
            ("ThreadSanitizer", ["-fsanitize=thread"], [loops, "no-fork"]),
        ):
            built = build(folder, *flags)
            if built.returncode:
                print(built.stderr)
                return 1
            done = stress(folder, *arguments)
            print(f"{title}: {done.stdout}{done.stderr}", end="")
            if done.returncode:
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
