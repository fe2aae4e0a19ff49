"""Parameter: a tensor that a module learns."""

from __future__ import annotations

from ..checks import tensor as expect_tensor
from ..tensor import Tensor


class Parameter(Tensor):
    """A leaf tensor that registers itself when it becomes an attribute of a Module.

    data: any float tensor; it is copied, because optimizers write into a parameter's memory and all
    other buffers are immutable. requires_grad: False for a parameter that is stored and not
    learned.

        >>> import etude
        >>> etude.nn.Parameter(etude.zeros(2))
        Parameter containing:
        tensor([0., 0.], requires_grad=True)
    """

    def __init__(self, data: Tensor, requires_grad: bool = True) -> None:
        own = expect_tensor("Parameter", "data", data).detach().clone()
        super().__init__(own.buffer, own.shape, own.dtype, own.backend)
        if requires_grad:
            self.requires_grad_()

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"
