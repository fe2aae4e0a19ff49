"""Training steps of whole models: etude beside the same by hand in NumPy, and beside torch."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from . import handwritten_numpy
from .options import Options
from .report import Table
from .timing import Competitor, race
from .training import ByHand, Case, Etude, Found, Trainee, disagreement, known, make_case

# The name of a case: its model, batch, and optimizer if it is not SGD with momentum.
MODELS: dict[str, tuple[Any, ...]] = {
    "mlp b64": ("mlp", 64),
    "mlp b64 Adam": ("mlp", 64, "adam"),
    "lenet5 b64": ("lenet5", 64),
    "resnet20 b32": ("resnet20", 32),
    "resnet20 b64": ("resnet20", 64),
    "vgg11 b32": ("vgg11_small", 32),
    "lstm b32": ("lstm", 32),
}
NAMES = tuple(name for name, (model, *_) in MODELS.items() if known(model))
MILLISECOND = 1e-3
LARGEST_ERROR = 5e-3
# Rounding moves units of ResNet-20 across the kinks of its ReLUs: noise of 1e-7 of the largest
# result of each convolution changes gradients by 1e-2, noise of 1e-6 by 2e-2 to 3e-2.
LARGEST_ERROR_BETWEEN_KINKS = 3e-2
BY_HAND, TORCH, FUSED = "numpy by hand", "torch", "torch, fused step"
TORCH_COMPILED = "torch, compiled"
BEST_OF_TORCH = "best of torch"
COLUMNS = ["model", "", "median", "best", "spread", "error"]


def run(options: Options) -> Iterator[Table]:
    """One table, a few rows for each model. Whoever computes something else is not timed."""
    peers = [BY_HAND] + [BEST_OF_TORCH] * ("torch" in options.peers)
    table = Table("One training step, milliseconds", COLUMNS + [f"{name}/this" for name in peers])
    table.remarks.append("torch is in the NCHW layout, without lower precision")
    try:
        for name in NAMES:
            if options.wants(name):
                add(table, name, make_case(*MODELS[name]), options, peers)
    except KeyboardInterrupt:
        yield table
        raise
    yield table


def trainees(case: Case, options: Options) -> dict[str, Trainee]:
    """The competitors by name."""
    found: dict[str, Trainee] = {f"etude {name}": Etude(case, name) for name in options.backends}
    found |= {
        f"etude {name}, compiled": Etude(case, name, compiled=True) for name in options.backends
    }
    if case.name in handwritten_numpy.BUILDERS and case.optimizer == "sgd":
        found[BY_HAND] = ByHand(case)
    if "torch" in options.peers:
        from .torch_models import BUILDERS, Torch

        if case.name in BUILDERS:
            found[TORCH] = Torch(case, fused=False, threads=options.threads)
            found[FUSED] = Torch(case, fused=True, threads=options.threads)
            if "torch.compile" in options.peers:
                found[TORCH_COMPILED] = Torch(case, True, threads=options.threads, compiled=True)
    return found


def reference(case: Case) -> Found:
    """Loss and gradients in float64, by whoever of those who have the model is simplest."""
    if case.name in handwritten_numpy.BUILDERS:
        return ByHand(case, "float64").loss_and_gradients()
    if find_spec("torch"):
        from .torch_models import BUILDERS, Torch

        if case.name in BUILDERS:
            return Torch(case, fused=False, dtype="float64").loss_and_gradients()
    return Etude(case, "numpy", "float64").loss_and_gradients()


def add(table: Table, name: str, case: Case, options: Options, peers: list[str]) -> None:
    """Check, race and add the rows of one model."""
    options.say(f"{name}: checking against float64")
    truth = reference(case)
    runners = trainees(case, options)
    errors = {who: disagreement(t.loss_and_gradients(), truth) for who, t in runners.items()}
    limit = LARGEST_ERROR_BETWEEN_KINKS if case.name == "resnet20" else LARGEST_ERROR
    right = [who for who, error in errors.items() if error <= limit]
    for who in errors.keys() - set(right):
        table.remarks.append(f"{name}: {who} is wrong by {errors[who]:.1e} and was not timed")
    competitors = [Competitor(who, runners[who].step) for who in right]
    disturbed = race(
        competitors, options.rounds, lambda text: options.say(f"{name}, {text}"), options.scale
    )
    if disturbed:
        table.remarks.append(f"{name}: other processes disturbed {disturbed} rounds")
    medians = {c.name: c.median for c in competitors}
    torchs = [medians[who] for who in (TORCH, FUSED, TORCH_COMPILED) if who in medians]
    if torchs:
        medians[BEST_OF_TORCH] = min(torchs)
    for c in competitors:
        ratios = {who: median / c.median for who, median in medians.items() if who != c.name}
        table.records.append(record(name, c, errors[c.name], ratios))
        times = [c.median / MILLISECOND, c.best / MILLISECOND, f"{100 * c.spread:.0f} %"]
        error = f"{errors[c.name]:.0e}"
        shown = [medians[who] / c.median if who in medians else None for who in peers]
        table.rows.append([name, c.name, *times, error, *shown])
    options.tell(line(table.records[-len(competitors) :]) if competitors else name)


def record(name: str, c: Competitor, error: float, ratios: dict[str, float]) -> dict[str, Any]:
    """All figures of one competitor, for JSON; times in seconds."""
    times = {"seconds": c.median, "best": c.best, "spread": c.spread}
    return {
        "case": name,
        "family": "models",
        "by": c.name,
        **times,
        "error": error,
        "ratios": ratios,
    }


def line(records: list[dict[str, Any]]) -> str:
    """One line of progress."""
    times = ", ".join(f"{r['by']} {1e3 * r['seconds']:.3g} ms" for r in records)
    return f"{records[0]['case']}: {times}"
