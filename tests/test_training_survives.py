"""Resuming: a run that was cut at any step and resumed is the run that was not cut, to the bit."""

from __future__ import annotations

import os
import signal
import threading

import pytest

import etude
from etude import nn, optim
from etude.framework import checkpoint, training
from etude.framework.data import DataLoader, TensorDataset
from etude.framework.errors import ArgumentError, BadFile, NonFiniteLoss
from etude.framework.training import Callback, Checkpoints, EarlyStopping, Trainer, resume


class CutAt(Callback):
    """Stop after a step, as if the process had been killed there: nothing is saved after it."""

    def __init__(self, step):
        self.step = step

    def on_step(self, trainer, step):
        if step.step == self.step:
            raise Killed


class Killed(Exception):
    pass


def run(path=None, cut=None, go_on=False, *, every=1, epochs=3, build_optimizer=None, **options):
    """A small model with all that has state: dropout, batch norm, a schedule, early stopping."""
    etude.manual_seed(3)
    x, y = etude.rand(22, 4), etude.randint(3, size=(22,))
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.3), nn.Linear(6, 3))
    optimizer = (build_optimizer or optim.Adam)(model.parameters(), lr=0.05)
    trainer = Trainer(
        model,
        optimizer,
        scheduler=optim.CosineAnnealingLR(optimizer, 30),
        callbacks=[EarlyStopping(patience=5)],
        **options,
    )
    if path is not None:
        trainer.callbacks.append(Saver(path, every))
    if cut is not None:
        trainer.callbacks.append(CutAt(cut))
    batches = DataLoader(TensorDataset(x, y), 4, shuffle=True, seed=1)
    whole = DataLoader(TensorDataset(x, y), 22)
    if go_on:
        if cut is None and len(trainer.callbacks) < 3:
            trainer.callbacks.append(Callback())
        assert resume(trainer, path)
    try:
        trainer.fit(batches, epochs, whole)
    except Killed:
        return None
    return result(trainer)


class Saver(Checkpoints):
    """Checkpoints that, like a killed process, write nothing on the way out."""

    def on_fit_end(self, trainer):
        pass


def result(trainer):
    steps = [(s.epoch, s.step, s.loss, s.accuracy, s.images) for s in trainer.history.steps]
    epochs = [(e.epoch, e.loss, e.lr, e.val_loss, e.val_accuracy) for e in trainer.history.epochs]
    state = {k: t.tolist() for k, t in trainer.model.state_dict().items()}
    return steps, epochs, state, etude.get_rng_state(), trainer.callbacks[0].best


@pytest.mark.parametrize("cut, every", [(1, 1), (6, 1), (17, 1), (5, 4), (6, 4), (7, 4), (12, 4)])
def test_cut_and_resumed_equals_whole(tmp_path, cut, every):
    path = tmp_path / "c"
    assert run(path, cut, every=every) is None
    assert run(path, go_on=True, every=every) == run()


def test_two_cuts(tmp_path):
    path = tmp_path / "c"
    run(path, 4)
    run(path, 9, go_on=True)
    assert run(path, go_on=True) == run()


@pytest.mark.parametrize("name", ["SGD", "AdamW", "RMSprop", "Adagrad"])
def test_every_optimizer_resumes(tmp_path, name):
    path = tmp_path / "c"
    build = getattr(optim, name)
    run(path, 8, build_optimizer=build)
    assert run(path, go_on=True, build_optimizer=build) == run(build_optimizer=build)


def test_same_seed_same_run():
    assert run() == run()


def test_accumulated_gradients_are_the_batch_s():
    def plain(**options):
        etude.manual_seed(0)
        model = nn.Linear(4, 3)
        trainer = Trainer(model, optim.SGD(model.parameters(), lr=0.1), **options)
        x, y = etude.rand(10, 4), etude.randint(3, size=(10,))
        trainer.fit(DataLoader(TensorDataset(x, y), 5), 2)
        return trainer.history.losses, model.weight.detach().reshape(-1).tolist()

    (whole, w), (parts, v) = plain(), plain(accumulate=3)
    assert parts == pytest.approx(whole, rel=1e-6)
    assert v == pytest.approx(w, rel=1e-5)


def test_clipping_bounds_the_step():
    etude.manual_seed(0)
    model = nn.Linear(4, 3)
    before = model.weight.detach().clone()
    trainer = Trainer(model, optim.SGD(model.parameters(), lr=1.0), clip_norm=1e-3)
    trainer.fit(DataLoader(TensorDataset(etude.rand(5, 4), etude.randint(3, size=(5,))), 5), 1)
    moved = (model.weight.detach() - before).norm().item()
    assert 0 < moved <= 1.001e-3


@pytest.mark.parametrize("options", [{"accumulate": 0}, {"accumulate": 1.5}, {"clip_norm": 0}])
def test_wrong_options(options):
    model = nn.Linear(2, 2)
    with pytest.raises(ArgumentError, match="expected"):
        Trainer(model, optim.SGD(model.parameters(), lr=1.0), **options)


def test_full_disk_warns_and_keeps_the_old_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "c"
    run(path, 6)
    old = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.warns(RuntimeWarning, match=r"the last one stays: .*No space left"):
        run(path, 9, go_on=True)
    assert path.read_bytes() == old
    monkeypatch.undo()
    assert run(path, go_on=True) == run()


def small_trainer(*callbacks):
    model = nn.Linear(4, 3)
    trainer = Trainer(model, optim.SGD(model.parameters(), lr=0.1), callbacks=callbacks)
    return trainer, DataLoader(TensorDataset(etude.rand(8, 4), etude.randint(3, size=(8,))), 2)


def test_a_checkpoint_that_fails_at_the_end_raises(tmp_path):
    trainer, batches = small_trainer(Checkpoints(tmp_path / "no folder" / "c"))
    with pytest.warns(RuntimeWarning, match="no checkpoint"), pytest.raises(BadFile):
        trainer.fit(batches, 1)


def test_other_options_are_refused(tmp_path):
    path = tmp_path / "c"
    trainer, batches = small_trainer(Checkpoints(path, facts={"lr": 0.1, "seed": 1}))
    trainer.fit(batches, 1)
    with pytest.raises(BadFile, match=r"lr was 0\.1, now 0\.2; resume with the same options"):
        resume(trainer, path, {"lr": 0.2, "seed": 1})
    with pytest.raises(BadFile, match="made with 1 callbacks, this run has 0"):
        resume(small_trainer()[0], path, {"lr": 0.1, "seed": 1})


def test_no_checkpoint_yet(tmp_path):
    assert resume(small_trainer()[0], tmp_path / "c") is False


def test_other_checkpoints_are_refused(tmp_path):
    path = checkpoint.save([1, 2], tmp_path / "c")
    with pytest.raises(BadFile, match="no checkpoint of a training run"):
        resume(small_trainer()[0], path)


def test_a_diverged_run_is_not_saved(tmp_path):
    path = tmp_path / "c"
    trainer, batches = small_trainer(Checkpoints(path, every=1))
    trainer.fit(batches, 1)
    old = path.read_bytes()
    bad = DataLoader(TensorDataset(etude.full((4, 4), float("nan")), etude.zeros(4).long()), 2)
    with pytest.raises(NonFiniteLoss):
        trainer.fit(bad, 1)
    assert path.read_bytes() == old


class Interrupted(Callback):
    def on_step(self, trainer, step):
        if step.step == 3:
            trainer.optimizer.step = self.interrupt

    def interrupt(self):
        raise KeyboardInterrupt


def test_a_step_that_was_interrupted_is_not_saved(tmp_path):
    path = tmp_path / "c"
    trainer, batches = small_trainer(Interrupted(), Checkpoints(path, every=1))
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(batches, 5)
    assert checkpoint.load(path)["trainer"]["place"]["batch"] == 3


class PressCtrlC(Callback):
    def on_step(self, trainer, step):
        if step.step == 2:
            os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_stops_between_steps_with_a_checkpoint(tmp_path):
    path = tmp_path / "c"
    trainer, batches = small_trainer(PressCtrlC(), Checkpoints(path))
    with training.stop_on_signal(trainer):
        trainer.fit(batches, 5)
    assert trainer.history.stopped == "Ctrl-C"
    assert len(trainer.history.steps) == 2
    assert checkpoint.load(path)["trainer"]["place"] == {"epoch": 1, "batch": 2, "first_order": 0}
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_second_ctrl_c_interrupts_at_once():
    trainer, _ = small_trainer()
    with training.stop_on_signal(trainer):
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_signals_are_left_alone_in_other_threads():
    trainer, _ = small_trainer()
    seen = []

    def work():
        with training.stop_on_signal(trainer):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]
