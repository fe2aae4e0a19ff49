"""Live progress: a bar in a terminal, plain lines elsewhere; and the figures in them."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

import etude
from etude.framework import nn, optim
from etude.framework.cli import progress as displays
from etude.framework.cli.compare import cells, deviation
from etude.framework.cli.progress import Bar, Lines, progress
from etude.framework.cli.results import save_json
from etude.framework.cli.show import duration, percent
from etude.framework.data import DataLoader, TensorDataset
from etude.framework.training import TimeBudget, Trainer


def shown(terminal: bool, budget: float | None = None, labels: bool = True) -> str:
    """Train for 3 epochs of 2 steps under a display: what it wrote."""
    etude.manual_seed(0)
    x = etude.randn(8, 2)
    y = (x[:, 0] > 0).long() if labels else etude.rand(8, 2)
    model = nn.Linear(2, 2)
    text = StringIO()
    console = Console(file=text, force_terminal=terminal, width=100)
    watch = progress(console, "numpy", budget)
    limit = [] if budget is None else [TimeBudget(budget)]
    trainer = Trainer(model, optim.SGD(model.parameters(), 0.1), callbacks=[*limit, watch])
    trainer.fit(DataLoader(TensorDataset(x, y), 4), 3)
    return text.getvalue()


def test_without_a_terminal_there_is_a_line_for_each_epoch() -> None:
    text = shown(False)
    lines = text.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("numpy    epoch 1/3, step 2/6")
    for words in ("loss ", "accuracy ", " images/s, ", " left"):
        assert words in lines[1]
    assert "\x1b" not in text
    assert "\r" not in text


def test_slow_steps_get_lines_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(displays, "PATIENCE", -1.0)
    assert len(shown(False).splitlines()) == 6


def test_a_run_that_ends_within_an_epoch_gets_a_last_line() -> None:
    lines = shown(False, budget=1e-9).splitlines()
    assert len(lines) == 1
    assert "step 1/1 " in lines[0]


def test_in_a_terminal_there_is_a_bar() -> None:
    text = shown(True)
    assert "\x1b" in text
    assert "6/6" in text
    assert "images/s" in text


def test_a_bar_of_a_budget_ends_full() -> None:
    assert "1/1" in shown(True, budget=1e-9)


def test_without_labels_there_is_no_accuracy() -> None:
    assert "accuracy       -" in shown(False, labels=False)


def test_the_display_suits_the_console() -> None:
    assert isinstance(progress(Console(force_terminal=True), "x"), Bar)
    assert isinstance(progress(Console(file=StringIO()), "x"), Lines)


def test_deviation_is_relative_and_over_the_common_steps() -> None:
    assert deviation([1.0, 2.2, 9.0], [1.0, 2.0]) == pytest.approx(0.1)
    assert deviation([], [1.0]) is None


def test_words_for_figures() -> None:
    assert [duration(s) for s in (0.123, 3.21, 12.3, 119.6, 185.0)] == [
        "0.12 s", "3.2 s", "12 s", "2 min 0 s", "3 min 5 s"]  # fmt: skip
    assert (percent(0.97555), percent(None)) == ("97.6 %", "-")
    row = {"backend": "c", "steps": 1, "steps_planned": 2, "test_accuracy": None, "final_loss": 0.5,
           "deviation": None, "images_per_second": 5.25, "ratio": None,
           "startup_seconds": 0.0, "compile_seconds": 0.0}  # fmt: skip
    assert cells(row) == ["c", "1/2", "-", "0.50000", "-", "5.2", "-", "0.00 s", "-"]
    assert cells({**row, "compile_seconds": 3.2})[-1] == "3.2 s"


def test_json_has_no_nan(tmp_path: object) -> None:
    path = save_json(tmp_path / "x.json", {"a": [float("nan"), 1.0, (float("inf"),)]})  # type: ignore[operator]
    assert path.read_text().split() == [
        "{",
        '"a":',
        "[",
        "null,",
        "1.0,",
        "[",
        "null",
        "]",
        "]",
        "}",
    ]
