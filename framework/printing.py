"""How a tensor prints: torch's form, with NumPy's layout of the numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .dtypes import DEFAULT, bool_, int64

if TYPE_CHECKING:
    from .tensor import Tensor


def tensor_repr(t: Tensor) -> str:
    """`tensor([[1., 2.]], dtype=..., backend=..., grad_fn=...)`, without the defaults."""
    import numpy as np

    values = t.detach().numpy()
    body = np.array2string(
        values, separator=", ", prefix="tensor(", precision=4, threshold=1000, suppress_small=False
    )
    facts = []
    if t.dtype not in (DEFAULT, int64, bool_):
        facts.append(f"dtype={t.dtype!r}")
    if 0 in t.shape and len(t.shape) > 1:
        facts.append(f"size={t.shape}")
    if t.backend.name != "numpy":
        facts.append(f"backend={t.backend.name!r}")
    if t.node is not None:
        facts.append(f"grad_fn=<{t.node.op.name}>")
    elif t.requires_grad:
        facts.append("requires_grad=True")
    return f"tensor({', '.join([body, *facts])})"
