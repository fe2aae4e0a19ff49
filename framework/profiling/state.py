"""Which profile is running, for what runs recorded programs.

Eager calls need not ask: a profile puts timing methods over the backends' own while it lasts.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

profiling: ContextVar[Any] = ContextVar("profiling", default=None)  # a profiler.Profile
