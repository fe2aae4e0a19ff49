"""Those who carry a case's work out: etude's backends, torch, NumPy. Values go in and come out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from etude.backends.registry import get

from .case import Case, Step, Work, results
from .machine import cores


@dataclass(frozen=True)
class Player:
    """`name` as tables show it; `key` is what Work calls it; `there` is what it calls."""

    name: str
    key: str
    there: Any

    def plays(self, work: Work) -> bool:
        """Whether it has a way to do the work."""
        return getattr(work, self.key) is not None

    def prepare(self, work: Work) -> Step:
        """The step, over inputs of its own kind."""
        given = map(partial(_given, self), work.inputs)
        step: Step = getattr(work, self.key)(self.there, *given)
        return step

    def arrays(self, found: Any) -> list[Any]:
        """What a step returned, as NumPy arrays of their own."""
        return [_taken(self, y) for y in results(found)]


def etude_player(backend: str) -> Player:
    """One of etude's backends. Raises BackendUnavailable."""
    return Player(f"etude {backend}", "ours", get(backend))


def load_first(peers: Iterable[str]) -> None:
    """Import torch, if it is a peer, before any backend is looked for.

    torch brings an OpenMP of its own. Once Numba's has loaded the system's, torch takes that one,
    and a small parallel region costs it milliseconds: an LSTM cell 17 ms in place of 42 us.
    """
    if any(name.startswith("torch") for name in peers):
        import_module("torch")


def peer(name: str, threads: int | None = None) -> Player:
    """torch on so many threads (all cores), or NumPy."""
    if name == "numpy":
        return Player("numpy", "numpy", np)
    import torch

    torch.set_num_threads(threads or cores())
    torch.set_float32_matmul_precision("highest")
    return Player("torch", "torch", torch)


def _given(player: Player, x: Any) -> Any:
    if player.key == "ours":
        return player.there.from_host(memoryview(x), x.shape, str(x.dtype))
    return player.there.from_numpy(x) if player.key == "torch" else x


def _taken(player: Player, y: Any) -> Any:
    if player.key == "ours":
        backend = player.there
        return np.array(backend.to_host(y), backend.dtype(y)).reshape(y.shape)
    return y.detach().numpy() if player.key == "torch" else np.asarray(y)


def play_once(player: Player, case: Case, small: bool = True) -> tuple[list[Any], Work]:
    """The results of one step, and the work: for tests."""
    work = case.work(small)
    return player.arrays(player.prepare(work)()), work
