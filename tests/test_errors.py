"""Every wrong call of the table gives one error, of the right class, that reads well."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from wrong import Wrong

FAMILIES = sorted(path.stem for path in Path(__file__).parent.glob("errors_*.py"))
WRONG: list[Wrong] = [wrong for family in FAMILIES for wrong in import_module(family).WRONG]
# Names that mean something to the authors of etude and nothing to its users.
INTERNAL = ["_tensor", "vjp", "buffer", "NoneType", "<class", "object at 0x", "infer", "Spec"]
LONGEST = 300


def message(wrong: Wrong, *arguments: Any) -> str:
    """What the wrong call says; an error of another class shows its own traceback."""
    try:
        result = wrong.call(*arguments)
    except wrong.error as error:
        return str(error)
    pytest.fail(f"{wrong.name} gave {result!r} and no error")


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_a_wrong_call_says_what_came_what_was_expected_and_what_to_do(
    wrong: Wrong, monkeypatch: pytest.MonkeyPatch
) -> None:
    asks = "monkeypatch" in inspect.signature(wrong.call).parameters
    said = message(wrong, *([monkeypatch] if asks else []))
    for fragment in wrong.fragments:
        assert fragment in said
    check_form(said, wrong.operation)


def check_form(said: str, operation: str | None = None) -> None:
    """The rules for all messages."""
    operations = re.match(r"\[([\w.~&|^ ]+)\] (?=\S)", said)
    assert operations, "begins with [operation]"
    if operation is not None:
        assert operations[1] == operation
    assert "expected" in said, "says what was expected"
    fix = said.rpartition("; ")[2] if "; " in said else ""
    assert fix, "says what to do, after a semicolon"
    assert not fix.startswith("expected"), "says what to do, after a semicolon"
    assert "\n" not in said
    assert len(said) <= LONGEST, "says it in three lines of a terminal"
    assert said.rstrip() == said
    assert not said.endswith(".") or said.endswith("...")
    assert "  " not in said
    assert not re.search(r"\b(\w+) \1\b", said[len(operations[0]) :]), "a doubled word"
    assert not [word for word in INTERNAL if word in said]


def test_the_names_of_the_table_are_unique() -> None:
    names = [wrong.name for wrong in WRONG]
    assert len(names) == len(set(names))
    assert len(names) >= 150
