"""Hyper-parameter search: every combination, or random ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from math import exp, isnan, log
from typing import Any, NamedTuple

from ..checks import real, whole
from ..errors import ArgumentError, fail
from ..functional import rand
from ..guard import came
from ..ops.sampling import Generator


class Uniform(NamedTuple):
    """Any number from low to high, for random_search."""

    low: float
    high: float


class LogUniform(NamedTuple):
    """Any number from low to high, its logarithm uniform: for learning rates and penalties."""

    low: float
    high: float


class Trial(NamedTuple):
    """What was tried, and what it cost: the less the better."""

    options: dict[str, Any]
    cost: float


def grid_search(objective: Callable[..., Any], space: Mapping[str, Sequence[Any]]) -> list[Trial]:
    """objective(**options) for every combination of the values in `space`; the best trial first.

    Args: objective returns a cost, such as the validation loss (nan counts as the worst); space
    {"lr": [0.1, 0.01], "depth": [2, 3]}. Raises: ArgumentError.
    Source: Bergstra & Bengio 2012. Decks: D0 (recipes: try successive values).
    """
    op = "grid_search"
    for name, values in _named(op, space):
        if not isinstance(values, (list, tuple, range)) or isinstance(
            values, (Uniform, LogUniform)
        ):
            raise fail(
                ArgumentError,
                op,
                f"expected {name} as a list of values, got {came(values)}; use random_search for "
                "ranges",
            )
    combinations = [dict(zip(space, values, strict=True)) for values in product(*space.values())]
    return _tried(objective, combinations)


def random_search(
    objective: Callable[..., Any],
    space: Mapping[str, Any],
    trials: int = 20,
    generator: Generator | None = None,
) -> list[Trial]:
    """objective(**options) for `trials` random options; the best trial first.

    In as many trials each option gets more different values than a grid gives it, which pays where
    few of them matter.

    Args: objective as for grid_search; space, each a list to choose from, Uniform(low, high) or
    LogUniform(low, high). Draws come from etude's random sequence. Raises: ArgumentError.
    Source: Bergstra & Bengio, "Random search for hyper-parameter optimization", 2012. Decks: D3.
    """
    op = "random_search"
    named = _named(op, space)
    count = whole(op, "trials", trials)
    made = []
    for _ in range(count):
        draws = rand(len(named), generator=generator).tolist()
        made.append({name: _chosen(op, name, s, u) for (name, s), u in zip(named, draws)})
    return _tried(objective, made)


def _named(op: str, space: Mapping[str, Any]) -> list[tuple[str, Any]]:
    if not isinstance(space, Mapping) or not space:
        raise fail(
            ArgumentError,
            op,
            f"expected a space as a dict of options, got {came(space)}; use {{'lr': [0.1, 0.01]}}",
        )
    return list(space.items())


def _chosen(op: str, name: str, values: Any, u: float) -> Any:
    """The value at u in [0, 1) of the range or the list."""
    if isinstance(values, Uniform):
        return values.low + (values.high - values.low) * u
    if isinstance(values, LogUniform):
        low = log(real(op, name, values.low, open_ends="("))
        return exp(low + (log(values.high) - low) * u)
    if not isinstance(values, (list, tuple, range)) or not values:
        raise fail(
            ArgumentError,
            op,
            f"expected {name} as values, Uniform or LogUniform, got {came(values)}; use a list",
        )
    return values[int(u * len(values))]


def _tried(objective: Callable[..., Any], options: list[dict[str, Any]]) -> list[Trial]:
    trials = [Trial(o, float(objective(**o))) for o in options]
    return sorted(trials, key=lambda t: (isnan(t.cost), t.cost))
