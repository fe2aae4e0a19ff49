"""The case table: all `CASES` of the files `cases_*.py` beside it. case.py says how to add one."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from case import Case

FAMILIES = sorted(path.stem for path in Path(__file__).parent.glob("cases_*.py"))
CASES: list[Case] = [case for family in FAMILIES for case in import_module(family).CASES]
