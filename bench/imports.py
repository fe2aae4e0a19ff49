"""How long `import etude` takes, beside `import numpy`, each in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from statistics import median
from tempfile import TemporaryDirectory

from .options import Options
from .report import Cell, Table

LEAST = 7  # processes for each
HEAVY = ("matplotlib", "numba", "numpy", "pandas", "rich", "scipy", "sklearn", "torch")
STATEMENTS = {
    "import numpy": "import numpy",
    "import etude": "import etude",
    "import etude, first tensor": "import etude; etude.zeros(1)",
}
TIMED = """
import time
start = time.perf_counter()
{statement}
seconds = time.perf_counter() - start
import sys
print(seconds, *(name for name in {heavy} if name in sys.modules))
"""


def run(options: Options) -> list[Table]:
    """Medians over fresh processes that take turns; the first ones write bytecode, uncounted."""
    with TemporaryDirectory() as bytecode:
        return [_table(options, bytecode)]


def _table(options: Options, bytecode: str) -> Table:
    times: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    loaded: dict[str, list[str]] = {}
    for number in range(max(LEAST, options.rounds) + 1):
        for name, statement in STATEMENTS.items():
            options.say(f"process {number + 1}: {name}")
            seconds, loaded[name] = fresh(statement, bytecode)
            if number:
                times[name].append(seconds)
    base = median(times["import numpy"])
    rows: list[list[Cell]] = [
        [
            name,
            1e3 * median(found),
            1e3 * min(found),
            1e3 * (median(found) - base),
            ", ".join(loaded[name]) or "none",
        ]
        for name, found in times.items()
    ]
    columns = ["", "median", "best", "more than numpy", "large libraries loaded"]
    return Table("Milliseconds to import", columns, rows)


def fresh(statement: str, bytecode: str) -> tuple[float, list[str]]:
    """Seconds that a statement takes in a fresh process, and which large libraries it loads.

    Compiled modules are kept in the folder `bytecode`, whatever the environment says about them.
    """
    environment = {key: v for key, v in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = bytecode
    code = TIMED.format(statement=statement, heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    seconds, *names = done.stdout.split()
    return float(seconds), names
