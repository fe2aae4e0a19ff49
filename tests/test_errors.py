"""Every wrong call of the table gives one error, of the right class, that reads well."""

from __future__ import annotations

import ast
import inspect
import re
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from case import Case, map_draws
from cases import CASES
from wrong import Wrong

import etude
from etude import functional as F
from etude.framework.errors import BadFile, EtudeError

TESTS = Path(__file__).parent
FAMILIES = sorted(path.stem for path in TESTS.glob("errors_*.py"))
WRONG: list[Wrong] = [wrong for family in FAMILIES for wrong in import_module(family).WRONG]
# Names that mean something to the authors of etude and nothing to its users.
INTERNAL = ["_tensor", "vjp", "buffer", "NoneType", "<class", "object at 0x", "infer", "Spec"]
LONGEST = 300
# What was expected may also be said by naming the choices, or what is missing.
CHOICES = ("did you mean", "choose from", "there is no")


def message(wrong: Wrong, *arguments: Any) -> str:
    """What the wrong call says; an error of another class shows its own traceback."""
    try:
        result = wrong.call(*arguments)
    except wrong.error as error:
        return str(error)
    pytest.fail(f"{wrong.name} gave {result!r} and no error")


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_a_wrong_call_says_what_came_what_was_expected_and_what_to_do(
    wrong: Wrong, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = {"monkeypatch": monkeypatch, "tmp_path": tmp_path}
    said = message(wrong, *(given[name] for name in inspect.signature(wrong.call).parameters))
    for fragment in wrong.fragments:
        assert fragment in said
    check_form(said, wrong.operation, issubclass(wrong.error, BadFile))


def check_form(said: str, operation: str, about_a_file: bool) -> None:
    """The rules for all messages. What a file should hold goes without saying."""
    operations = re.match(r"\[([\w.~&|^ ]+)\] (?=\S)", said)
    assert operations, "begins with [operation]"
    assert operations[1] == operation
    expected = "expected" in said or any(words in said for words in CHOICES)
    assert expected or about_a_file, "says what was expected"
    assert says_what_to_do(said), "says what to do, after a semicolon"
    assert "\n" not in said
    assert "  " not in said
    assert not said.endswith((".", " ")) or said.endswith("...")
    assert not re.search(r"\b([a-z]+) \1\b", said[len(operations[0]) :]), "a doubled word"
    assert not [word for word in INTERNAL if word in said]
    assert len(said) <= LONGEST, "says it in three lines of a terminal"


def says_what_to_do(said: str) -> bool:
    fix = said.rpartition("; ")[2] if "; " in said else ""
    return bool(fix) and not fix.startswith("expected")


def test_the_names_of_the_table_are_unique() -> None:
    names = [wrong.name for wrong in WRONG]
    assert len(names) == len(set(names))
    assert len(names) >= 300


# messages as they stand in the source -------------------------------------------------------------
def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Every message in a file of the framework, with its line; {} stands for values."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        given = node.args[-1] if name == "fail" else node.args[0]
        said = spelt(given)
        if name == "fail" or (isinstance(given, ast.JoinedStr) and said.startswith("[")):
            yield node.lineno, said


def spelt(node: ast.AST) -> str:
    """The text of a string or f-string, values as {} or, if they bring text, as {name}."""
    if isinstance(node, ast.JoinedStr):
        return "".join(map(spelt, node.values))
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.FormattedValue):
        return spelt(node.value)
    return f"{{{ast.unparse(node)}}}"


def test_every_message_in_the_source_says_what_to_do() -> None:
    root = Path(etude.__file__).parent
    silent = [
        f"{path.relative_to(root)}:{line}: {said}"
        for path in sorted((root / "framework").rglob("*.py"))
        for line, said in texts(path)
        if not says_what_to_do(said) and not is_composed_elsewhere(said)
    ]
    assert silent == []


def is_composed_elsewhere(said: str) -> bool:
    """A message that is one variable, or ends in one that brings the whole of what came."""
    said = said.removeprefix("[{op}] ")
    return (said.startswith("{") and said.endswith("}")) or said.endswith("{what}")


def test_an_error_of_the_callers_own_code_comes_through() -> None:
    """The guard explains wrong arguments; it must not hide what a callback raised."""

    def broken(x: Any) -> Any:
        raise KeyError("mine")

    x = etude.ones(2, dtype="float64", requires_grad=True)
    with pytest.raises(KeyError, match="mine"):
        etude.gradcheck(broken, x)


# no bare error ------------------------------------------------------------------------------------
ODD = {
    "None": None,
    "a string": "a",
    "a fraction": 1.5,
    "a negative number": -7,
    "zero": 0,
    "nan": float("nan"),
    "a huge number": 10**30,
    "a complex number": 1j,
    "True": True,
    "an empty list": [],
    "a dict": {},
    "an object": object(),
    "a mixed tuple": (1, "b"),
    "negative numbers": [-1, -2],
    "strings": ["a"],
    "many numbers": (1, 2, 3, 4, 5, 6, 7),
    "an array": np.array([1.5, 2.5]),
    "a bool tensor": etude.tensor(True),
    "no elements": etude.zeros(0),
    "whole numbers": etude.tensor([[1, 2], [3, 4]]),
    "a 0-d tensor": etude.tensor(2.0),
}
FIRST: dict[str, Case] = {}
for _case in CASES:
    if _case.function is None and hasattr(F, _case.subject):
        FIRST.setdefault(_case.subject, _case)


def variations(case: Case) -> Iterator[tuple[str, list[Any], dict[str, Any]]]:
    """The case's call with each argument in turn replaced by each odd value."""
    inputs = list(
        map_draws(lambda draw: etude.tensor(draw.make(case.rng(), case.dtypes[0])), case.inputs)
    )
    parameters = inspect.signature(getattr(F, case.subject)).parameters
    labels = [
        name
        for name, p in list(parameters.items())[len(inputs) :]
        if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    for odd, value in ODD.items():
        for i in range(len(inputs)):
            yield f"{i} {odd}", [*inputs[:i], value, *inputs[i + 1 :]], dict(case.kwargs)
        for label in labels:
            yield f"{label} {odd}", inputs, {**case.kwargs, label: value}


@pytest.mark.parametrize("case", FIRST.values(), ids=lambda case: case.subject)
def test_no_bare_error_comes_out_of_a_wrong_argument(case: Case) -> None:
    function = getattr(F, case.subject)
    for label, args, kwargs in variations(case):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                function(*args, **kwargs)
        except EtudeError as error:
            said = str(error)
            assert said.startswith("["), label
            assert says_what_to_do(said), label
        except Exception as error:
            raise AssertionError(f"{label}: {type(error).__name__}: {error}") from error
