"""Every call of a backend by this thread, taken over by a recorder for a while.

Tensors keep their backend and their buffers; only the methods of the one instance lead elsewhere.
So code that is recorded cannot tell, and nothing it reads can escape the recorder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import get_ident
from typing import Any

from etude.backends.base import Backend

_ABSENT = object()


def _routed(mine: Callable[..., Any], original: Any, thread: int) -> Callable[..., Any]:
    def call(*args: Any, **named: Any) -> Any:
        if get_ident() == thread:
            return mine(*args, **named)
        return None if original is None else original(*args, **named)

    return call


@contextmanager
def shadowed(backend: Backend, routes: Mapping[str, Callable[..., Any]]) -> Iterator[None]:
    """Lead this thread's calls of methods of `backend` to `routes`; other threads' go on."""
    own: dict[str, Any] = vars(backend)
    before = {name: own.get(name, _ABSENT) for name in routes}
    thread = get_ident()
    wrapped = {name: _routed(f, getattr(backend, name), thread) for name, f in routes.items()}
    own.update(wrapped)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is _ABSENT:
                del own[name]
            else:
                own[name] = value
