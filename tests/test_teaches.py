"""Everything that the lecture decks teach is there under a public name, and checked by a test."""

from __future__ import annotations

import ast
import inspect
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cases import CASES
from teaches import ROWS
from test_teaches_backends import ENTRIES

import etude
from etude import functional as F
from etude import nn, optim

TESTS = Path(__file__).parent
GROUPS = 18  # of the list of what the decks teach
# Tools, which do what is taught without being taught themselves.
TOOLS = {"backends.available", "compile", "set_num_threads"}

# Items that compute nothing on tensors: plain numbers, files read on the host, and pictures.
OF_NO_BACKEND = {
    "time-based", "step, exponential", "1/r (Robbins-Monro)", "cosine", "warm-up",
    "counts of parameters and multiply-adds", "MNIST, Fashion-MNIST", "CIFAR-10/100",
    "image folders", "70/30 and train/validation/test", "first-layer filters",
    "track loss and first-layer features", "hyper-parameter search",
    "loops against vectorised against BLAS",
}  # fmt: skip
SOURCE = re.compile(
    r"[A-Z][\w-]+(?: et al\.)?(?:, \"[^\"]+\")?(?: \([^)]*\))?,? (?:1[89]|20)\d\d\b"
    r"|Source: (?:lecture only|none)\."
)


class Item(NamedTuple):
    """One thing taught."""

    group: str
    name: str
    names: list[str]
    checks: list[str]


def parsed(group: str, table: str) -> list[Item]:
    lines = [
        [part.strip() for part in line.split(" | ")]
        for line in table.strip().replace("\n    ", " ").splitlines()
    ]
    return [Item(group, item, names.split(), checks.split()) for item, names, checks in lines]


ITEMS = [item for group, table in ROWS.items() for item in parsed(group, table)]
NAMES = sorted({name for item in ITEMS for name in item.names})


def found(name: str) -> Any:
    """The object of a dotted name below etude."""
    value: Any = etude
    for part in name.split("."):
        value = getattr(value, part)
    return value


@cache
def functions(file: str) -> dict[str, bool]:
    """The tests of a file: whether they run on all backends, or all that have threads."""
    tree = ast.parse((TESTS / f"{file}.py").read_text(encoding="utf-8"))
    return {
        node.name: any(
            ast.unparse(d.args[0]) == "'backend'"
            and re.search("BACKENDS|THREADED", ast.unparse(d.args[1]))
            for d in node.decorator_list
            if isinstance(d, ast.Call) and len(d.args) > 1
        )
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    }


def on_every_backend(check: str) -> bool:
    file, _, function = check.partition("::")
    return functions(file)[function] if function else True


def exists(check: str) -> bool:
    if check.startswith("backends:"):
        return check.removeprefix("backends:") in ENTRIES
    file, _, function = check.partition("::")
    if function:
        return (TESTS / f"{file}.py").is_file() and function in functions(file)
    return any(case.subject == check for case in CASES)


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: f"{item.group}: {item.name}")
def test_what_is_taught_is_there_and_checked(item: Item) -> None:
    missing = [name for name in item.names if not callable(found(name))]
    assert missing == []
    assert item.names
    assert item.checks
    assert [check for check in item.checks if not exists(check)] == []


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: f"{item.group}: {item.name}")
def test_what_is_taught_is_checked_on_every_backend(item: Item) -> None:
    assert any(map(on_every_backend, item.checks)) is (item.name not in OF_NO_BACKEND)


@pytest.mark.parametrize("name", NAMES)
def test_a_docstring_names_the_decks(name: str) -> None:
    """Those that teach it, or that none does; a model of a fixed depth has its class's."""
    value = found(name)
    text = inspect.getdoc(getattr(value, "func", value)) or ""
    assert name in TOOLS or re.search(r"Decks:\s+(D[0-4]|none)\b", text), text


@pytest.mark.parametrize("name", NAMES)
def test_a_docstring_names_its_source(name: str) -> None:
    """A paper or book with its year, or that there is none but the lecture."""
    value = found(name)
    text = inspect.getdoc(getattr(value, "func", value)) or ""
    assert name in TOOLS or SOURCE.search(" ".join(text.split())), text


def test_what_counts_as_a_source() -> None:
    assert SOURCE.search("Ioffe & Szegedy 2015. Decks: D0.")
    assert SOURCE.search('Bengio et al., "Curriculum learning", 2009.')
    assert SOURCE.search("Source: lecture only. Decks: D0.")
    assert not SOURCE.search("1 / (1 + e^-x), at most 2048 of them. Decks: D0.")


def test_a_tool_is_on_the_list() -> None:
    assert set(NAMES) >= TOOLS


def test_no_group_is_left_out() -> None:
    assert len(ROWS) == GROUPS
    assert all(ROWS.values())
    names = [(item.group, item.name) for item in ITEMS]
    assert len(names) == len(set(names))


def test_a_name_or_a_test_that_is_gone_is_noticed() -> None:
    with pytest.raises(AttributeError):
        found("nn.Conv17d")
    assert not exists("convolve17d")
    assert not exists("test_teaches::test_nothing")
    assert not exists("test_nowhere::test_nothing")
    assert not exists("backends:nothing")


def test_twenty_examples_are_learnt_by_heart() -> None:
    """The decks' first check of a new model: zero loss on a tiny subset."""
    etude.manual_seed(0)
    x, y = etude.randn(20, 8), etude.randint(0, 4, (20,))
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.01
    assert F.equal(model(x).argmax(1), y)
