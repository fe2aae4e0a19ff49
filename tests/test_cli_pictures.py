"""The picture of a comparison, and what is known of the machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from etude.framework import models, nn, visualize
from etude.framework.cli import machine
from etude.framework.errors import BadFile


@pytest.mark.parametrize(
    "model, name, shape",
    [
        (models.create("lenet5"), "conv1.weight", (6, 5, 5)),
        (models.create("resnet20"), "conv1.weight", (16, 3, 3, 3)),
        (models.create("mlp"), "1.weight", (256, 28, 28)),
        (nn.Conv2d(2, 4, 3), "weight", (4, 3, 3)),
    ],
    ids=["grey", "colour", "linear", "two channels"],
)
def test_first_filters_are_pictures(model: nn.Module, name: str, shape: tuple[int, ...]) -> None:
    found = visualize.first_filters(model)
    assert found is not None
    assert found[0] == name
    assert found[1].shape == shape
    if shape[-1] == 3 and len(shape) == 4:
        assert found[1].min() == 0.0
        assert found[1].max() == 1.0


@pytest.mark.parametrize("model", [nn.ReLU(), nn.Linear(5, 2), nn.BatchNorm2d(3)])
def test_some_layers_have_no_pictures(model: nn.Module) -> None:
    assert visualize.first_filters(model) is None


def lines(curves: dict[str, list[float]], smooth: int = 1) -> list[Any]:
    axes = Figure().subplots()
    visualize.loss_curves(axes, curves, smooth)
    return list(axes.lines)


def test_a_long_reference_gets_its_running_mean() -> None:
    raw, mean, other = lines({"numpy": [4.0, 2.0, 0.0, 2.0], "c": [4.0, 2.0]}, smooth=2)
    assert raw.get_ydata().tolist() == [4.0, 2.0, 0.0, 2.0]
    assert mean.get_ydata().tolist() == [4.0, 3.0, 1.0, 1.0]
    assert mean.get_label() == "numpy, mean of 2 steps"
    assert other.get_xdata().tolist() == [1, 2]
    assert other.get_marker() == "o"
    (long,) = lines({"numpy": [1.0] * 200})
    assert long.get_marker() in ("None", "")


@pytest.mark.parametrize(
    "steps, panels", [([90, 10], 2), ([90, 80], 1), ([200], 1)], ids=["cut", "alike", "one"]
)
def test_a_comparison_shows_the_common_steps_closer(
    steps: list[int], panels: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    monkeypatch.setattr(visualize.comparing, "loss_curves", lambda axes, *_: drawn.append(axes))
    curves = {f"backend {i}": np.linspace(2.0, 0.1, n).tolist() for i, n in enumerate(steps)}
    path = visualize.comparison(tmp_path / "x.png", "title", curves, models.create("lenet5"))
    assert path.read_bytes().startswith(b"\x89PNG")
    assert len(drawn) == panels


def test_a_picture_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="cannot write"):
        visualize.comparison(tmp_path / "no" / "x.png", "t", {"a": [1.0]}, nn.ReLU())


def test_the_machine_is_described_without_its_files(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = machine.describe()
    assert facts["cores"] >= 1
    assert facts["numpy"] == np.__version__
    assert facts["backends"]["numpy"] is None
    assert machine.installed("no-such-distribution") is None

    def missing(*_: object, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    assert machine.cpu_name()
    assert machine.cores() >= 1
