"""Back-propagation through time, full or truncated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..checks import whole
from ..errors import ShapeError, fail
from ..optim.optimizer import Optimizer
from ..tensor import Tensor


def bptt(
    model: Callable[..., Any],
    inputs: Tensor,
    targets: Tensor,
    loss: Callable[[Any, Tensor], Tensor],
    optimizer: Optimizer | None = None,
    window: int | None = None,
    state: Any = None,
    dim: int = 1,
    clip: Callable[[], Any] | None = None,
) -> tuple[float, Any]:
    """Train a recurrent model on sequences, `window` steps of time at once; all of them for None.

    Each window runs from the state that the last one left, detached: values go on, gradients stop
    there. So memory and time are those of a window, and nothing is learned of lags beyond it (full
    back-propagation, window=None, sees all). One step of the optimizer for each window; without an
    optimizer the gradients of all windows are added up, each by its share of the steps.

    Args: model(x, state) -> (output, state), state None at first; inputs and targets with time at
    axis `dim`; loss(output, target), a mean over time; clip is called before each step, as in
    lambda: clip_grad_norm_(model.parameters(), 1.0).
    Returns: the mean loss over all steps, and the last state, detached. Raises: ShapeError.
    Source: Werbos 1990; Williams & Peng 1990 (truncated). Decks: D3.
    """
    op = "bptt"
    steps = inputs.shape[dim]
    if steps == 0 or targets.shape[dim] != steps:
        raise fail(
            ShapeError,
            op,
            f"expected inputs and targets of as many steps (at axis {dim}), got {inputs.shape} and "
            f"{targets.shape}; pass dim=0 where time comes first",
        )
    size = steps if window is None else whole(op, "window", window)
    total = 0.0
    for start in range(0, steps, size):
        count = min(size, steps - start)
        if optimizer is not None:
            optimizer.zero_grad()
        output, state = model(inputs.narrow(dim, start, count), state)
        found = loss(output, targets.narrow(dim, start, count))
        total += found.item() * count / steps
        if optimizer is None:
            (found * (count / steps)).backward()
        else:
            found.backward()
            if clip is not None:
                clip()
            optimizer.step()
        state = _detached(state)
    return total, state


def _detached(state: Any) -> Any:
    if isinstance(state, tuple) and hasattr(state, "_fields"):  # a NamedTuple
        return type(state)(*map(_detached, state))
    if isinstance(state, (tuple, list)):
        return type(state)(map(_detached, state))
    return state.detach() if isinstance(state, Tensor) else state
