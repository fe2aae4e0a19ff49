"""The command line: training, scoring, stopping and going on."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

from etude.framework import weights
from etude.framework.training import Callback, Step, Trainer

Run = Callable[..., tuple[int, str, str]]
MLP = ("mlp", "--epochs", "1", "--batch-size", "16")


@pytest.fixture(autouse=True)
def one_blas_thread() -> Iterator[None]:
    """Products this small gain nothing from threads, and wait long for busy ones."""
    with threadpool_limits(1):
        yield


@pytest.mark.usefixtures("few_digits")
def test_train_saves_what_eval_scores(etude_command: Run) -> None:
    code, out, err = etude_command("train", *MLP, "--out", "runs/a", "--validation", "0.2")
    assert (code, err) == (0, "")
    assert "mlp (235,146 parameters) on numpy, seed 0" in out
    assert "8x8 enlarged bilinearly to 28x28" in out
    files = {p.name for p in Path("runs/a").iterdir()}
    tensors = {"weights.safetensors", "checkpoint.safetensors"}
    assert files == {"history.csv", "run.json", *tensors}
    assert len(Path("runs/a/history.csv").read_text().splitlines()) == 2
    saved = json.loads(Path("runs/a/run.json").read_text())
    assert saved["recipe"]["model"] == "mlp"
    assert len(saved["losses"]) == 14
    assert saved["epochs"][0]["val_loss"] > 0.0
    assert saved["test"]["samples"] == 90
    said = next(line for line in out.splitlines() if line.startswith("test: accuracy"))

    for path in ("runs/a", "runs/a/weights.safetensors"):
        code, out, err = etude_command("eval", path)
        assert (code, err) == (0, "")
        assert f"test: {out.splitlines()[-1]} over 90 images" == said
        assert "note:" not in out
    code, out, _ = etude_command("eval", "runs/a", "--split", "ordered", "--backend", "numpy")
    assert code == 0
    assert "180 test images (ordered split" in out
    assert "note: it was trained on the random split of seed 0" in out


@pytest.mark.usefixtures("few_digits")
def test_training_is_repeatable_to_the_bit(etude_command: Run) -> None:
    saved = []
    for name in ("a", "b"):
        etude_command("train", *MLP, "--seed", "3", "--out", name)
        saved.append(Path(name, "weights.safetensors").read_bytes())
    assert saved[0] == saved[1]


@pytest.mark.usefixtures("few_digits")
def test_a_run_without_a_folder_gets_one_by_time(etude_command: Run) -> None:
    etude_command("train", *MLP, "--optimizer", "sgd", "--schedule", "constant", "--shift", "0")
    (folder,) = Path("runs").iterdir()
    assert folder.name.endswith("-train-mlp-digits-numpy")


@pytest.mark.usefixtures("few_digits")
def test_patience_watches_a_tenth_and_stops(etude_command: Run) -> None:
    code, out, _ = etude_command(
        "train", "mlp", "--epochs", "40", "--batch-size", "256", "--patience", "1",
        "--lr", "0.05", "--shift", "0", "--out", "a")  # fmt: skip
    assert code == 0
    assert "val_loss was best at epoch" in out
    epochs = json.loads(Path("a/run.json").read_text())["epochs"]
    assert 1 < len(epochs) < 40
    assert epochs[-1]["val_loss"] >= min(e["val_loss"] for e in epochs)


@pytest.mark.usefixtures("few_digits")
def test_a_diverging_run_keeps_the_last_good_weights(etude_command: Run) -> None:
    code, _, err = etude_command("train", *MLP, "--lr", "1e30", "--out", "a")
    assert code == 1
    assert err.startswith("etude: [fit] the loss became")
    assert "lower the learning rate" in err
    assert err.count("\n") == 1
    loaded = weights.load("a/weights.safetensors")
    assert all(t.isfinite().all() for t in loaded.values())
    assert "became" in json.loads(Path("a/run.json").read_text())["stopped"]
    assert etude_command("eval", "a")[0] == 0


class PressCtrlC(Callback):
    """The signal of Ctrl-C after a step, in place of the progress display."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, trainer: Trainer, step: Step) -> None:
        if step.step == self.step:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.usefixtures("few_digits")
def test_ctrl_c_keeps_a_training_run_that_resumes(
    etude_command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etude.framework.cli.train.progress", lambda *_: PressCtrlC(3))
    code, out, _ = etude_command("train", *MLP, "--out", "a")
    assert code == 130
    assert "stopped after 3 steps: Ctrl-C" in out
    assert "to go on: the same command with --out a --resume" in out
    assert len(json.loads(Path("a/run.json").read_text())["losses"]) == 3
    assert etude_command("eval", "a")[0] == 0
    code, out, _ = etude_command("train", *MLP, "--out", "a", "--resume")
    assert code == 0
    assert "resumed from a/checkpoint.safetensors after 3 steps" in out
    monkeypatch.setattr("etude.framework.cli.train.progress", lambda *_: Callback())
    assert etude_command("train", *MLP, "--out", "b")[0] == 0
    same = [Path(run, "weights.safetensors").read_bytes() for run in "ab"]
    assert same[0] == same[1]


@pytest.mark.usefixtures("few_digits")
def test_resume_says_what_it_needs(etude_command: Run) -> None:
    code, _, err = etude_command("train", *MLP, "--resume")
    assert (code, err.count("\n")) == (2, 1)
    assert "expected --out FOLDER with --resume" in err
    assert "starting at the beginning" in etude_command("train", *MLP, "--out", "a", "--resume")[1]
    code, _, err = etude_command("train", *MLP, "--out", "a", "--resume", "--lr", "0.5")
    assert code == 2
    assert "lr was 0.002, now 0.5" in err


@pytest.mark.usefixtures("few_digits")
def test_workers_change_nothing_but_the_processes(etude_command: Run) -> None:
    assert etude_command("train", *MLP, "--out", "a")[0] == 0
    assert etude_command("train", *MLP, "--out", "b", "--workers", "2")[0] == 0
    same = [Path(run, "weights.safetensors").read_bytes() for run in "ab"]
    assert same[0] == same[1]


@pytest.mark.usefixtures("few_digits")
def test_compiled_training_is_repeatable_resumed_and_compared(etude_command: Run) -> None:
    run = ("train", *MLP, "--compile", "--optimizer", "sgd")
    code, _, err = etude_command(*run, "--out", "a")
    assert (code, err) == (0, "")
    etude_command(*run, "--out", "b")
    files = [Path(name, "weights.safetensors").read_bytes() for name in "ab"]
    assert files[0] == files[1]
    recipe = json.loads(Path("a/run.json").read_text())["recipe"]
    assert recipe["compile"] is True
    code, _, err = etude_command("train", *MLP, "--optimizer", "sgd", "--out", "a", "--resume")
    assert code == 2
    assert "compile was True, now False" in err
    code, out, _ = etude_command("compare", *MLP, "--compile", "--backends", "numpy,c")
    assert code == 0
    assert "deviation" in out


@pytest.mark.usefixtures("few_digits")
def test_images_are_brought_to_another_shape(etude_command: Run) -> None:
    args = ("lenet5", "--epochs", "1", "--batch-size", "16", "--out", "a", "--input", "1x36x36")
    code, _, err = etude_command("train", *args)
    assert code == 2
    assert "[linear]" in err
    args = ("nin", "--epochs", "1", "--batch-size", "16", "--out", "b", "--input", "3x8x8")
    code, out, err = etude_command("train", *args)
    assert code == 0, err
    assert "8x8, 3 equal channels" in out
    code, out, err = etude_command("eval", "b")
    assert code == 0, err
    assert "8x8, 3 equal channels" in out
    code, _, err = etude_command("train", "nin", "--input", "8x8")
    assert code == 2
    assert "expected images of three sizes (C, H, W), got (8, 8)" in err


@pytest.mark.usefixtures("few_digits")
def test_augmentation_is_part_of_the_recipe(etude_command: Run) -> None:
    words = "rotate=15,zoom=0.1,noise=0.05"
    extras: dict[str, list[str]] = {"a": [], "b": ["--augment", words], "c": ["--augment", words]}
    for name, extra in extras.items():
        code, out, err = etude_command("train", *MLP, *extra, "--out", name)
        assert code == 0, err
        assert (f"pixels, {words}" in out) == bool(extra)
    history = {name: Path(name, "run.json").read_text() for name in "abc"}
    losses = {name: json.loads(text)["losses"] for name, text in history.items()}
    assert losses["a"] != losses["b"] == losses["c"]
    assert json.loads(history["b"])["recipe"]["augment"] == words
    code, _, err = etude_command("train", *MLP, "--augment", "rotat")
    assert code == 2
    assert "did you mean 'rotate'?" in err
