"""Several models as one: averaged weights, running averages of weights, averaged outputs."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from math import log
from typing import Any

from .. import functional as F
from ..autograd import no_grad
from ..checks import choice, real
from ..creation import zeros
from ..dtypes import int64
from ..errors import ArgumentError, ShapeError, fail
from ..tensor import Tensor
from .container import ModuleDict, ModuleList
from .module import Module


def average_models(models: Sequence[Module], weights: Sequence[float] | None = None) -> Module:
    """A new model whose parameters and buffers are the mean of the models', w_1 M_1 + w_2 M_2 + ...

    For models that are near each other: iterates of one run, or runs from one start (Polyak &
    Juditsky 1992; Wortsman et al. 2022). Models of other starts are averaged in what they say:
    `Ensemble`. Whole numbers (counts of batches) are the first model's. Means and variances of
    batch norm hold for the average only nearly.

    Args: models of one architecture; weights, 1 / n each by default, of sum 1.
    Returns: a copy. Raises: ArgumentError, ShapeError. Decks: none; D2 and D3 combine what models
    say (`Ensemble`).
    """
    op = "average_models"
    if not models:
        raise fail(ArgumentError, op, "expected models, got none; pass at least one")
    shares = [1.0 / len(models)] * len(models) if weights is None else list(weights)
    if len(shares) != len(models) or abs(sum(shares) - 1.0) > 1e-6:
        raise fail(
            ArgumentError,
            op,
            f"expected {len(models)} weights of sum 1, got {shares}; leave them out for the mean",
        )
    states = [m.state_dict() for m in models]
    shapes = [{k: v.shape for k, v in s.items()} for s in states]
    if any(s != shapes[0] for s in shapes):
        raise fail(
            ShapeError,
            op,
            f"expected models of one architecture, got {len({str(s) for s in shapes})} kinds of "
            "state; use Ensemble",
        )
    made = copy.deepcopy(models[0])
    mean = dict(states[0])
    for key, value in states[0].items():
        if value.dtype.is_floating_point:
            parts = [s[key].detach() * w for s, w in zip(states, shares, strict=True)]
            mean[key] = sum(parts[1:], parts[0])
    made.load_state_dict(mean)
    return made


class MovingAverage(Module):
    """A copy of a model that follows it: A <- decay A + (1 - decay) W at each update().

    Call `average(x)` as the model. Its first steps count evenly: the decay is at most t / (t + 1),
    so that the start is forgotten; `updates`, in the state, counts them. Polyak &
    Juditsky 1992; Tarvainen & Valpola 2017.
    Decks: none; weights as users average them.
    """

    def __init__(self, model: Module, decay: float = 0.999) -> None:
        super().__init__()
        self.module = copy.deepcopy(model)
        self.module.requires_grad_(False)
        self.decay = real("MovingAverage", "decay", decay, 0.0, 1.0)
        # Part of the state: an average that is loaded goes on, and does not begin anew.
        self.register_buffer("updates", zeros((), dtype=int64))

    def update(self, model: Module) -> None:
        """Take in what the model's parameters are now; its buffers are copied."""
        count = int(self.updates.item())
        decay = min(self.decay, count / (count + 1))
        current = model.state_dict()
        learned = {name for name, _ in model.named_parameters(remove_duplicate=False)}
        with no_grad():
            self.updates.fill_(count + 1)
            moved = {
                key: value * decay + current[key] * (1.0 - decay)
                if key in learned
                else current[key]
                for key, value in self.module.state_dict().items()
            }
            self.module.load_state_dict(moved)

    def forward(self, *inputs: Any) -> Any:
        """The averaged model's output."""
        return self.module(*inputs)


class Ensemble(Module):
    """The mean of what several classifiers say; called as ensemble(x), logits (N, K) each.

    average "probabilities": log of the mean of the softmaxes; "logits": the mean of the logits
    (a geometric mean of probabilities); "votes": log of the share of models that choose each class.
    All are used as logits: argmax(1) is the answer. Hansen & Salamon 1990; test-time ensembles in
    Krizhevsky et al. 2012. Decks: D3.
    """

    def __init__(self, models: Sequence[Module], average: str = "probabilities") -> None:
        super().__init__()
        if not models:
            raise fail(ArgumentError, "Ensemble", "expected models, got none; pass at least one")
        kinds = ("probabilities", "logits", "votes")
        self.average = choice("Ensemble", "average", average, kinds)
        self.models = ModuleList(models)

    def forward(self, input: Tensor) -> Tensor:
        """(N, K)."""
        found = F.stack([m(input) for m in self.models])
        if self.average == "logits":
            return found.mean(0)
        if self.average == "votes":
            return F.one_hot(found.argmax(-1), found.shape[-1]).to(found.dtype).mean(0).log()
        return F.logsumexp(F.log_softmax(found, -1), 0) - log(len(self.models))


class MultiTask(Module):
    """One trunk, several heads: {name: head(trunk(x))}; what tasks share regularises each of them.

    Weigh the losses and add them: sum(w[k] * loss[k](out[k], target[k]) for k in out). Caruana,
    "Multitask learning", 1997. Decks: D0.
    """

    def __init__(self, trunk: Module, heads: dict[str, Module]) -> None:
        super().__init__()
        if not heads:
            raise fail(ArgumentError, "MultiTask", "expected heads, got none; pass {name: module}")
        self.trunk, self.heads = trunk, ModuleDict(heads)

    def forward(self, input: Tensor) -> dict[str, Any]:
        """The output of each head."""
        shared = self.trunk(input)
        return {name: head(shared) for name, head in self.heads.items()}
