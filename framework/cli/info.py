"""etude info: version, backends, BLAS, threads, CPU."""

from __future__ import annotations

from ..creation import default_backend
from ..errors import ArgumentError
from .machine import describe
from .show import console, say


def info() -> int:
    """Print what etude found here; the exit code."""
    facts = describe()
    out = console()
    threads = ", ".join(f"{k}={v}" for k, v in facts["threads"].items()) or "no limit set"
    lines = {
        "etude": facts["etude"] or "not installed",
        "Python": f"{facts['python']}, {facts['system']}",
        "CPU": f"{facts['cpu']}, {facts['cores']} cores",
        "NumPy": f"{facts['numpy']}, BLAS: {facts['blas']}",
        "threads": threads,
    }
    for name, value in lines.items():
        say(out, f"{name:<12}{value}")
    say(out, "\nbackends")
    try:
        chosen = default_backend()
    except ArgumentError as error:  # info is what one asks when something is wrong
        chosen = ""
        say(out, f"  {error}")
    for name, reason in facts["backends"].items():
        state = "works" if reason is None else f"off: {reason}"
        say(out, f"  {name:<10}{state}{', the default' if name == chosen else ''}")
    say(out, "\noptional libraries")
    for name, found in facts["optional"].items():
        say(out, f"  {name:<14}{found or 'not installed'}")
    return 0
