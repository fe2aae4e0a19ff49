"""The tests of training once more, with every step compiled."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import test_train
import test_train_lenet
import test_training_survives
from test_train import *  # noqa: F403 - the tests themselves
from test_train_lenet import *  # noqa: F403
from test_training_survives import *  # noqa: F403

import etude
from etude import functional as F
from etude import nn
from etude.framework import checkpoint, data, models, optim
from etude.framework.compile.passes import EXACT
from etude.framework.training import Callback, Checkpoints, Trainer

BACKENDS = [name for name, reason in etude.backends.available().items() if reason is None]


@pytest.fixture(autouse=True)
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainers compile unless told otherwise."""
    defaults = {**(Trainer.__init__.__kwdefaults__ or {}), "compile": True}
    monkeypatch.setattr(Trainer.__init__, "__kwdefaults__", defaults)


def history(backend: str, compile: Any, **options: Any) -> Any:
    """A short run of LeNet-5 on digits: everything that can be compared."""
    etude.manual_seed(0)
    with etude.use_backend(backend):
        model = models.create("lenet5")
    images = 7 if backend == "python" else 200
    few = data.Subset(data.digits("random", 0, (1, 32, 32)).train, range(images))
    batches = data.DataLoader(few, images // 4 + 1, shuffle=True, seed=0, backend=backend)
    optimizer = optim.Adam(model.parameters(), 0.002)
    trainer = Trainer(
        model,
        optimizer,
        scheduler=optim.CosineAnnealingLR(optimizer, 8),
        compile=compile,
        **options,
    )
    found = trainer.fit(batches, 2, batches)
    if compile:
        assert trainer.run.cache_info().size == 2  # whole batches, and the last
        assert trainer.run.cache_info().hits >= 4
    state = {k: t.numpy().tobytes() for k, t in model.state_dict().items()}
    scores = [(e.loss, e.accuracy, e.lr, e.val_loss, e.val_accuracy) for e in found.epochs]
    moments = [s["exp_avg"].numpy().tobytes() for s in optimizer.state.values()]
    return found.losses, [s.accuracy for s in found.steps], scores, state, moments


@cache
def eager(backend: str, **options: Any) -> Any:
    """The same run without compiling."""
    return history(backend, False, **options)


@pytest.mark.parametrize("options", [{}, {"accumulate": 3, "clip_norm": 0.5}])
@pytest.mark.parametrize("backend", BACKENDS)
def test_lenets_run_is_the_eager_one_to_the_bit(backend: str, options: dict[str, Any]) -> None:
    assert history(backend, EXACT, **options) == eager(backend, **options)


@pytest.mark.parametrize("backend", BACKENDS)
def test_lenets_losses_agree_after_all_passes(backend: str) -> None:
    found, expected = history(backend, True)[0], eager(backend)[0]
    assert found == pytest.approx(expected, rel=1e-4)


def test_a_step_that_was_interrupted_is_not_saved(tmp_path: Path) -> None:
    """Here the whole step is one call; what stands in for it is interrupted."""

    class Interrupted(Callback):
        def on_step(self, trainer: Trainer, step: Any) -> None:
            if step.step == 3:
                trainer.run = self.interrupt

        def interrupt(self, x: Any, y: Any) -> None:
            raise KeyboardInterrupt

    callbacks = Interrupted(), Checkpoints(tmp_path / "c", every=1)
    trainer, batches = test_training_survives.small_trainer(*callbacks)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(batches, 5)
    assert checkpoint.load(tmp_path / "c")["trainer"]["place"]["batch"] == 3


def test_the_tests_of_training_are_here() -> None:
    for module in (test_train, test_train_lenet, test_training_survives):
        names = {n for n in vars(module) if n.startswith("test_")}
        assert names
        assert names <= set(globals())


def test_a_validation_loss_of_its_own_and_no_labels() -> None:
    model = nn.Linear(3, 2)
    x = etude.rand(8, 3)
    batches = data.DataLoader(data.TensorDataset(x, x[:, :2]), 4)
    trainer = Trainer(model, optim.SGD(model.parameters(), 0.1), F.mse_loss)
    steps = trainer.fit(batches, 2).steps
    assert [s.accuracy for s in steps] == [None] * 4
    assert steps[-1].loss < steps[0].loss
