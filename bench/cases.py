"""All benchmark cases, from the files `cases_*.py` beside this one; case.py says how to add one."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from .case import Case

FILES = sorted(path.stem for path in Path(__file__).parent.glob("cases_*.py"))
CASES: list[Case] = [case for name in FILES for case in import_module(f"etude.bench.{name}").CASES]
FAMILIES = tuple(dict.fromkeys(case.family for case in CASES))
