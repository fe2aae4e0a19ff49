"""Functions that are also Tensor methods: `x.exp()` is `etude.exp(x)`."""

from __future__ import annotations

from . import functional as F
from .tensor import Tensor

METHODS = """
abs acos acosh add all amax amin any argmax argmin argsort asin asinh atan atan2 atanh bernoulli bmm
ceil chunk clamp clip cos cosh cumprod cumsum diagonal digamma div dot eq erf erfc exp exp2 expand
expand_as expm1 flatten flip floor floor_divide fmod gather ge gt hypot index_select isfinite isinf
isnan le lgamma log log10 log1p log2 log_softmax logical_and logical_not logical_or logical_xor
logsumexp lt masked_fill masked_select matmul max maximum mean min minimum mm movedim mul mv narrow ne
neg nonzero norm outer permute pow prod reciprocal relu remainder reshape round rsqrt scatter
scatter_add sigmoid sign sin sinh softmax split sqrt square squeeze std sub sum take_along_dim tan
tanh transpose tril triu trunc unbind unsqueeze var view view_as
""".split()

for _name in METHODS:
    setattr(Tensor, _name, getattr(F, _name))


def _where(self: Tensor, condition: Tensor, other: Tensor | float) -> Tensor:
    """self where the condition holds, else other."""
    return F.where(condition, self, other)  # type: ignore[no-any-return]


Tensor.where = _where  # type: ignore[attr-defined]
