"""Whether code is being recorded for `etude.compile`, and by what.

Most of the core need not know: its calls of the backend are what is recorded. Told are only changes
that pass no backend, to a tensor's place in memory, an optimizer or a schedule.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

capturing: ContextVar[Any] = ContextVar("capturing", default=None)  # a compile.capture.Capture
