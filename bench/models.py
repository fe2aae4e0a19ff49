"""Training steps of whole models: etude beside the same by hand in NumPy, and beside torch."""

from __future__ import annotations

from .options import Options
from .report import Table, race_rows
from .timing import Competitor, race
from .training import ByHand, Case, Etude, Trainee, disagreement, make_case

NAMES = ("mlp", "lenet5", "resnet20")
BATCH = 64
MILLISECOND = 1e-3
LARGEST_ERROR = 5e-3  # where rounding moves a unit of ResNet-20 across the kink of its ReLU


def run(options: Options) -> list[Table]:
    """One table, a few rows for each model. Whoever computes something else is not timed."""
    columns = ["model", "", "median", "best", "spread", "of by hand", "error"]
    table = Table(f"One training step, batch {BATCH}, milliseconds", columns)
    for name in NAMES:
        if options.wants(name):
            _add(table, make_case(name, BATCH), options)
    return [table]


def trainees(case: Case, options: Options) -> dict[str, Trainee]:
    """The competitors by name."""
    found: dict[str, Trainee] = {f"etude {name}": Etude(case, name) for name in options.backends}
    found["numpy by hand"] = ByHand(case)
    if "torch" in options.peers:
        from .torch_models import Torch

        found["torch"] = Torch(case, fused=False)
        found["torch, fused SGD"] = Torch(case, fused=True)
    return found


def _add(table: Table, case: Case, options: Options) -> None:
    options.say(f"{case.name}: checking against float64")
    truth = ByHand(case, "float64").loss_and_gradients()
    runners = trainees(case, options)
    errors = {name: disagreement(t.loss_and_gradients(), truth) for name, t in runners.items()}
    right = [name for name, error in errors.items() if error <= LARGEST_ERROR]
    for name in errors.keys() - set(right):
        table.remarks.append(
            f"{case.name}: {name} is wrong by {errors[name]:.1e} and was not timed"
        )
    competitors = [Competitor(name, runners[name].step) for name in right]
    race(competitors, options.rounds, lambda text: options.say(f"{case.name}, {text}"))
    by_hand = next(c for c in competitors if c.name == "numpy by hand")
    for row in race_rows(competitors, by_hand, MILLISECOND, case.name):
        table.rows.append([*row, errors[str(row[1])]])
