"""One row of the table of wrong calls: what is called, which error it gives, and what that says.

How to add one (test_errors.py collects every `WRONG` list of the files `errors_*.py`):
append `Wrong("operation what is wrong", lambda: etude.operation(...), ShapeError, "fragment", ...)`
to the list of its family. The fragments are parts of the message: at least what came. The message
must begin with "[operation] ", say what was expected and, after a semicolon, what to do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from etude.framework.errors import EtudeError


class Wrong:
    """A wrong call."""

    def __init__(
        self, name: str, call: Callable[[], Any], error: type[EtudeError], *fragments: str
    ) -> None:
        self.name, self.call, self.error, self.fragments = name, call, error, fragments

    @property
    def operation(self) -> str:
        """What the message names in brackets: the first word of the name."""
        return self.name.split()[0]

    def __str__(self) -> str:
        return self.name.replace(" ", "-")
