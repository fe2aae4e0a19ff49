"""Recording one call of a function: run it on a Capture, gather what it did, undo that.

Nothing is computed, and everything is as before in the end, also if the function raises: buffers,
gradients, the optimizers' numbers and state, the random generator. What is left is a Recording.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from operator import length_hint
from pathlib import Path
from typing import Any

from etude.backends.base import Backend
from etude.backends.registry import loaded

from ..capturing import capturing
from ..errors import ArgumentError, fail
from ..guard import came
from ..tensor import Tensor
from .capture import Capture
from .discover import Found
from .escaped import Escaped
from .gather import Before, Recording, gathered
from .shadow import shadowed


def record_call(
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    inputs: Sequence[Tensor],
    found: Found,
    backend: Backend,
) -> Recording:
    """Record fn(*args, **kwargs), which is given `inputs` among its arguments.

    Raises whatever the function does, and GradError, ArgumentError or BackendMismatch with the line
    of what cannot be recorded.
    """
    engines = len(loaded())
    recording = _recorded(fn, args, kwargs, inputs, found, backend, False)
    if recording.looked or len(loaded()) != engines:  # a backend that nobody watched
        recording = _recorded(fn, args, kwargs, inputs, found, backend, recording.looked)
    return recording


def _recorded(
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    inputs: Sequence[Tensor],
    found: Found,
    backend: Backend,
    absent: bool,
) -> Recording:
    capture = Capture(backend, found, inputs)  # type: ignore[abstract]
    before = Before(capture)
    positions = [(name, it, position(it)) for name, it in found.iterators]
    try:
        before.open_up(absent)
        with _active(capture):
            recording = gathered(capture, before, fn(*args, **kwargs), absent)
        before.check_modes()
        check_unchanged(found)
        for name, it, place in positions:
            if position(it) != place:
                raise fail(
                    ArgumentError,
                    "compile",
                    f"expected a function of its arguments, got one that takes from the iterator "
                    f"{name!r}, which a replay would not; take outside, and pass it in",
                )
    finally:
        before.undo()
        mark_escaped(capture)
    return recording


@contextmanager
def _active(capture: Capture) -> Iterator[None]:
    with ExitStack() as stack:
        stack.enter_context(shadowed(capture.backend, capture.routes()))
        for backend, routes in capture.others():
            stack.enter_context(shadowed(backend, routes))
        stack.callback(capturing.reset, capturing.set(capture))
        yield


def position(it: Any) -> Any:
    """Where an iterator stands, as far as it tells."""
    frame = getattr(it, "gi_frame", None)
    if frame is None:
        return length_hint(it, -1), hasattr(it, "gi_frame")
    held = frame.f_locals
    return frame.f_lasti, length_hint(held.get(".0"), -1), [(k, id(v)) for k, v in held.items()]


def check_unchanged(found: Found) -> None:
    """Raise, with everything put back, if the function changed what it depends on."""
    changed = [(f, f.now()) for f in found.facts if not f.holds()]
    for fact, _ in changed:
        fact.restore()
    if changed:
        fact, now = changed[0]
        raise fail(
            ArgumentError,
            "compile",
            f"expected a function that leaves Python's values alone, got one that changes "
            f"{fact.name!r} from {came(fact.value)} to {came(now)}, which a replay would not; "
            "return it, or keep it in a tensor (register_buffer) and change that in place",
        )


def mark_escaped(capture: Capture) -> None:
    """Let the tensors that outlive the recording say what they are when they are used."""
    results, capture.results = capture.results, []
    capture.leaves.clear()
    for reference, file, line in results:
        t = reference()
        if t is not None:
            t.backend, t.node = Escaped(f"{Path(file).name}:{line}"), None
