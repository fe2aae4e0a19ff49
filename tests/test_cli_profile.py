"""etude profile: the table, the trace, and what it says to wrong words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import etude
from etude.backends.ceilings import Ceilings

Run = Callable[..., tuple[int, str, str]]
FEW = ("--steps", "2", "--batch-size", "2")


@pytest.fixture(autouse=True)
def known_ceilings(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Ceilings(1e12, ((1 << 20, 1e11), (1 << 28, 1e10)), "nobody")
    monkeypatch.setattr(etude.backends.registry, "ceilings", lambda: known)


def test_a_training_step_and_its_trace(etude_command: Run) -> None:
    code, out, err = etude_command("profile", "lenet5", *FEW, "--out", "trace.json")
    assert (code, err) == (0, "")
    assert out.startswith("2 training steps of lenet5 on numpy, input (2, 1, 32, 32)\n")
    rows = {line.split("  ")[0]: line for line in out.splitlines()}
    assert {"conv", "linear_grad", "adam_steps", "outside the backends"} <= rows.keys()
    assert "trace.json: open it at https://ui.perfetto.dev" in out
    events = json.loads(Path("trace.json").read_text())["traceEvents"]
    assert sum(e["name"] == "conv" for e in events) == 4


def test_a_compiled_forward_pass_by_module(etude_command: Run) -> None:
    args = ("--forward", "--compile", "--by", "module", "--sort", "name", "--backend", "python")
    code, out, _ = etude_command("profile", "mlp", *FEW, "--input", "1x4x4", *args)
    assert code == 2  # this model takes images of one size
    code, out, err = etude_command("profile", "lenet5", *FEW, *args)
    assert (code, err) == (0, "")
    assert "2 forward passes of lenet5 on python, input (2, 1, 32, 32), compiled" in out
    assert "LeNet5.conv1" in out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["lenet"], "did you mean 'lenet5'?"),
        (["lenet5", "--by", "layer"], "expected by as one of 'op', 'shape', 'module'"),
        (["lenet5", "--sort", "tim"], "did you mean 'time'?"),
        (["lenet5", "--steps", "0"], "expected a whole number >= 1, got 0"),
        (["lenet5", "--backend", "nump"], "did you mean 'numpy'?"),
    ],
)
def test_wrong_words(etude_command: Run, args: list[str], message: str) -> None:
    code, out, err = etude_command("profile", *args)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
