"""What is left of a tensor that a recording computed and the function kept for later."""

from __future__ import annotations

from typing import Any

from ..errors import EtudeError, GradError, fail


class Escaped:
    """In the place of the tensor's backend: says, at any use, where it came from."""

    def __init__(self, place: str) -> None:
        vars(self)["place"] = place

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise self.error()

    def error(self) -> EtudeError:
        """The error that names the line."""
        return fail(
            GradError,
            "compile",
            f"expected a tensor with values, got one that was computed while a function was "
            f"recorded, at {vars(self)['place']}, and kept in a list, attribute or global; a "
            "replay computes it anew and keeps nothing: return it from the function",
        )

    def __repr__(self) -> str:
        return "<no backend: the tensor escaped from a recording>"
