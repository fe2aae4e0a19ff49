"""The Trainer and its callbacks."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import etude
from etude.framework import nn, optim
from etude.framework.data import DataLoader, TensorDataset
from etude.framework.errors import ArgumentError, BadFile, NonFiniteLoss
from etude.framework.functional import cross_entropy, mse_loss
from etude.framework.training import (
    Callback,
    CsvLog,
    EarlyStopping,
    Epoch,
    Step,
    TimeBudget,
    Trainer,
    evaluate,
)


def problem(n: int = 60) -> TensorDataset:
    """Points in the plane, labelled by the side of a line."""
    etude.manual_seed(1)
    x = etude.randn(n, 2)
    return TensorDataset(x, (x[:, 0] > x[:, 1]).long())


def trainer(lr: float = 0.1, **options: object) -> Trainer:
    etude.manual_seed(2)
    model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))
    return Trainer(model, optim.SGD(model.parameters(), lr, momentum=0.9), **options)  # type: ignore[arg-type]


def batches(n: int = 60) -> DataLoader:
    return DataLoader(problem(n), 16, shuffle=True, seed=0)


def weights(model: nn.Module) -> dict[str, list[float]]:
    return {name: t.tolist() for name, t in model.state_dict().items()}


class Recorder(Callback):
    def __init__(self) -> None:
        self.events: list[str] = []

    def on_fit_start(self, trainer: Trainer, epochs: int, steps_per_epoch: int) -> None:
        self.events.append(f"start {epochs}x{steps_per_epoch}")

    def on_step(self, trainer: Trainer, step: Step) -> None:
        self.events.append(f"step {step.step}")
        assert trainer.history.steps[-1] is step

    def on_epoch(self, trainer: Trainer, epoch: Epoch) -> None:
        self.events.append(f"epoch {epoch.epoch}")

    def on_fit_end(self, trainer: Trainer) -> None:
        self.events.append("end")


# the loop ---------------------------------------------------------------------------------------
def test_training_learns_and_is_repeatable() -> None:
    a, b = trainer(), trainer()
    history = a.fit(batches(), 10, validation=DataLoader(problem(), 60))
    again = b.fit(batches(), 10)
    assert history.losses == again.losses
    assert len(history.steps) == 40
    assert history.epochs[-1].loss < 0.3 < history.epochs[0].loss
    assert (history.epochs[-1].val_accuracy or 0.0) > 0.9
    assert again.epochs[-1].val_loss is None
    assert history.stopped is None


def test_an_epochs_record_is_the_mean_over_its_images() -> None:
    history = trainer().fit(batches(), 1)
    total = sum(s.images for s in history.steps)
    assert [s.images for s in history.steps] == [16, 16, 16, 12]
    mean = sum(s.loss * s.images for s in history.steps) / total
    share = sum((s.accuracy or 0.0) * s.images for s in history.steps) / total
    assert history.epochs[0].loss == pytest.approx(mean)
    assert history.epochs[0].accuracy == pytest.approx(share)
    assert history.as_dict()["epochs"][0]["lr"] == 0.1


def test_callbacks_hear_of_everything_in_order() -> None:
    heard = Recorder()
    trainer(callbacks=[heard]).fit(batches(20), 2)
    assert heard.events == ["start 2x2", "step 1", "step 2", "epoch 1", "step 3", "step 4",
                            "epoch 2", "end"]  # fmt: skip


def test_a_regression_has_no_accuracy() -> None:
    model = nn.Linear(2, 1)
    data = TensorDataset(etude.randn(8, 2), etude.randn(8, 1))
    t = Trainer(model, optim.SGD(model.parameters(), 0.1), mse_loss)
    history = t.fit(DataLoader(data, 4), 1, validation=DataLoader(data, 4))
    assert history.steps[0].accuracy is None
    assert history.epochs[0].accuracy is None
    assert history.epochs[0].val_accuracy is None


@pytest.mark.parametrize("by, expected", [("step", [0.1, 0.05]), ("epoch", [0.1, 0.1 / 2])])
def test_a_schedule_follows_steps_or_epochs(by: str, expected: list[float]) -> None:
    t = trainer(schedule_by=by)
    t.scheduler = optim.StepLR(t.optimizer, 4 if by == "step" else 1, gamma=0.5)
    history = t.fit(batches(), 2)
    assert t.optimizer.param_groups[0]["lr"] == pytest.approx(0.025)
    assert len(history.epochs) == 2


def test_the_model_trains_in_training_mode_and_is_scored_in_evaluation_mode() -> None:
    model = nn.Sequential(nn.Dropout(0.5), nn.Linear(2, 2))
    t = Trainer(model, optim.SGD(model.parameters(), 0.1))
    model.eval()
    t.fit(batches(), 1, validation=batches())
    assert model.training
    assert t.evaluate(batches()) == evaluate(model, batches())
    model.eval()
    evaluate(model, batches())
    assert not model.training


def test_evaluation_weighs_a_small_last_batch_by_its_size() -> None:
    model = trainer().model
    whole, parts = (evaluate(model, DataLoader(problem(), n)) for n in (60, 16))
    assert parts.loss == pytest.approx(whole.loss, rel=1e-6)
    assert parts.accuracy == pytest.approx(whole.accuracy)
    assert parts.samples == 60


# trouble ----------------------------------------------------------------------------------------
def test_a_loss_that_is_not_finite_stops_training_and_keeps_the_last_good_weights() -> None:
    heard = Recorder()
    t = trainer(lr=1e30, callbacks=[heard])
    with pytest.raises(NonFiniteLoss, match=r"\[fit\] the loss became (nan|inf) at epoch 1, step "
                       r"\d: .*|.*lower the learning rate \(now 1e\+30\)"):  # fmt: skip
        t.fit(batches(), 3)
    assert heard.events[-1] == "end"
    assert all(p.isfinite().all() for p in t.model.state_dict().values())
    last_good = t.history.steps[-1]
    assert t.history.stopped == f"the loss became nan at epoch 1, step {last_good.step + 1}"


def test_the_weights_kept_are_those_of_the_last_finite_loss() -> None:
    x = etude.randn(12, 2)
    x[9, 0] = float("nan")
    data = TensorDataset(x, etude.zeros(12).long())
    t, kept = trainer(), []

    class Keep(Callback):
        def on_step(self, trainer: Trainer, step: Step) -> None:
            kept.append(weights(trainer.model))

    t.callbacks.append(Keep())
    with pytest.raises(NonFiniteLoss, match="at epoch 1, step 3; the model has the last weights"):
        t.fit(DataLoader(data, 4), 2)
    assert len(kept) == 2
    assert weights(t.model) == kept[0]


def test_a_first_loss_that_is_not_finite_leaves_the_initial_weights() -> None:
    t = trainer()
    before = weights(t.model)
    data = TensorDataset(etude.full((4, 2), float("inf")), etude.zeros(4).long())
    with pytest.raises(NonFiniteLoss, match="step 1; the model has its initial weights"):
        t.fit(DataLoader(data, 4), 1)
    assert weights(t.model) == before


def test_weights_that_the_last_step_broke_are_found() -> None:
    t = trainer(lr=1e38, loss=lambda output, y: cross_entropy(output, y) * 1e3)
    with pytest.raises(NonFiniteLoss, match=r"the weights '.*' became nan or inf at epoch 1"):
        t.fit(DataLoader(problem(16), 16), 1)
    assert all(p.isfinite().all() for p in t.model.state_dict().values())


def test_ctrl_c_keeps_the_history_and_ends_the_callbacks(tmp_path: Path) -> None:
    class Interrupt(Callback):
        def on_step(self, trainer: Trainer, step: Step) -> None:
            if step.step == 5:
                raise KeyboardInterrupt

    heard = Recorder()
    t = trainer(callbacks=[heard, Interrupt(), CsvLog(tmp_path / "log.csv")])
    with pytest.raises(KeyboardInterrupt):
        t.fit(batches(), 3)
    assert len(t.history.steps) == 5
    assert heard.events[-1] == "end"
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 2


# callbacks --------------------------------------------------------------------------------------
class Scripted(Callback):
    """Replace the validation losses, and count up a weight, so that epochs can be told apart."""

    def __init__(self, losses: list[float]) -> None:
        self.losses = losses

    def on_epoch(self, trainer: Trainer, epoch: Epoch) -> None:
        object.__setattr__(epoch, "val_loss", self.losses[epoch.epoch - 1])
        with etude.no_grad():
            trainer.model[0].bias.fill_(float(epoch.epoch))


def test_early_stopping_stops_and_restores_the_best() -> None:
    stopping = EarlyStopping(patience=2)
    t = trainer(callbacks=[Scripted([3.0, 1.0, 2.0, 1.5, 0.5]), stopping])
    history = t.fit(batches(20), 5, validation=batches(20))
    assert len(history.epochs) == 4
    assert history.stopped == "val_loss was best at epoch 2"
    assert (stopping.best, stopping.best_epoch) == (1.0, 2)
    assert t.model[0].bias.tolist() == [2.0] * 8


def test_early_stopping_restores_the_best_after_the_last_epoch_too() -> None:
    t = trainer(callbacks=[Scripted([1.0, 3.0, 2.0]), EarlyStopping(patience=9)])
    history = t.fit(batches(20), 3, validation=batches(20))
    assert history.stopped is None
    assert t.model[0].bias.tolist() == [1.0] * 8


def test_early_stopping_counts_only_a_fall_of_min_delta() -> None:
    t = trainer(callbacks=[Scripted([1.0, 0.95, 0.92]), EarlyStopping(2, min_delta=0.1)])
    assert len(t.fit(batches(20), 9, validation=batches(20)).epochs) == 3


def test_early_stopping_can_watch_the_accuracy() -> None:
    stopping = EarlyStopping(1, monitor="val_accuracy")
    history = trainer(callbacks=[stopping]).fit(batches(), 50, validation=batches())
    rates = [e.val_accuracy or 0.0 for e in history.epochs]
    assert -stopping.best == max(rates) == rates[stopping.best_epoch - 1]


def test_a_time_budget_allows_at_least_one_step() -> None:
    history = trainer(callbacks=[TimeBudget(1e-9)]).fit(batches(), 3)
    assert len(history.steps) == 1
    assert history.epochs == []
    assert history.stopped == "the time budget of 1e-09 s"
    assert history.images_per_second is None
    assert history.warm_up == 0.0


def test_a_time_budget_that_suffices_changes_nothing() -> None:
    history = trainer(callbacks=[TimeBudget(1000.0)]).fit(batches(), 2)
    assert len(history.epochs) == 2
    assert history.stopped is None
    assert (history.images_per_second or 0.0) > 0.0
    assert history.warm_up >= 0.0


def test_a_csv_log_has_a_line_for_each_epoch(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    history = trainer(callbacks=[CsvLog(path)]).fit(batches(), 3)
    with open(path, newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["epoch"] for line in lines] == ["1", "2", "3"]
    assert float(lines[2]["loss"]) == history.epochs[2].loss
    assert lines[0]["val_loss"] == ""


WRONG = [
    (lambda: trainer(schedule_by="batch"), "expected schedule_by 'step' or 'epoch'"),
    (lambda: trainer().fit(batches(), -1), "expected epochs >= 0, got -1"),
    (lambda: trainer().fit(batches(), 1.5), "got 1.5"),  # type: ignore[arg-type]
    (lambda: trainer().evaluate(batches(0)), "expected at least one batch, got none"),
    (lambda: EarlyStopping(0), "expected patience >= 1"),
    (lambda: EarlyStopping(monitor="loss"), "expected monitor 'val_loss' or 'val_accuracy'"),
    (lambda: trainer(callbacks=[EarlyStopping()]).fit(batches(), 1), "give fit() a validation"),
]


@pytest.mark.parametrize("call, message", WRONG, ids=[w[1] for w in WRONG])
def test_what_is_wrong_is_said(call: object, message: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        call()  # type: ignore[operator]
    assert message in str(caught.value)


def test_a_log_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="cannot write"):
        trainer(callbacks=[CsvLog(tmp_path / "no" / "log.csv")]).fit(batches(), 1)
