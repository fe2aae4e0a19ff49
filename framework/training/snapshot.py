"""A copy of a model's weights and buffers, to go back to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..autograd import no_grad

if TYPE_CHECKING:
    from ..nn import Module
    from ..tensor import Tensor


class Snapshot:
    """Remembers one moment of a model: `take` replaces it, `restore` goes back to it."""

    def __init__(self, model: Module, values: dict[str, Tensor] | None = None) -> None:
        self.model = model
        self.values = values or {}

    @property
    def taken(self) -> bool:
        """Whether there is a moment to go back to."""
        return bool(self.values)

    def take(self) -> None:
        """Copy the weights as they are now."""
        self.values = {name: t.clone() for name, t in self.model.state_dict().items()}

    def restore(self) -> None:
        """Write the copy back into the model."""
        with no_grad():
            for name, t in self.model.state_dict(keep_vars=True).items():
                t.copy_(self.values[name])
