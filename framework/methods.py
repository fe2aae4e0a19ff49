"""Functions that are also Tensor methods: `x.exp()` is `etude.exp(x)`."""

from __future__ import annotations

from . import functional as F
from . import inplace
from .composed.joining import unfold_axis
from .copying import deepcopied, reduced
from .guard import guard_methods
from .tensor import Tensor

METHODS = """
    abs absolute acos acosh add addbmm addcdiv addcmul addmm addmv addr all allclose amax amin
    aminmax any arccos arccosh arcsin arcsinh arctan arctan2 arctanh argmax argmin argsort argwhere
    asin asinh atan atan2 atanh baddbmm bernoulli bincount bmm broadcast_to ceil chunk clamp
    clamp_max clamp_min clip contiguous copysign corrcoef cos cosh count_nonzero cov cross cummax
    cummin cumprod cumsum deg2rad diag diag_embed diagflat diagonal diagonal_scatter diff digamma
    dist div divide dot dsplit eq equal erf erfc erfinv exp exp2 expand expand_as expm1 fix flatten
    flip fliplr flipud float_power floor floor_divide fmax fmin fmod frac gather ge greater
    greater_equal gt hardshrink heaviside histc hsplit hypot index_add index_copy index_fill
    index_put index_reduce index_select inner isclose isfinite isinf isnan isneginf isposinf kron
    kthvalue ldexp le lerp less less_equal lgamma log log10 log1p log2 log_softmax logaddexp
    logaddexp2 logcumsumexp logical_and logical_not logical_or logical_xor logit logsumexp lt
    masked_fill masked_scatter masked_select matmul max maximum mean median min minimum mm moveaxis
    movedim msort mul multinomial multiply mv nan_to_num nanmean nanmedian nansum narrow ne neg
    negative nonzero norm not_equal outer permute positive pow prelu prod put quantile rad2deg ravel
    reciprocal relu remainder repeat repeat_interleave reshape reshape_as roll rot90 round rsqrt
    scatter scatter_add scatter_reduce select select_scatter sgn sigmoid sign signbit sin sinc sinh
    slice_scatter softmax sort split sqrt square squeeze std sub subtract sum swapaxes swapdims t
    take take_along_dim tan tanh tensor_split tile topk trace transpose tril triu true_divide trunc
    unbind unflatten unique unique_consecutive unsqueeze var vdot view view_as vsplit xlogy
""".split()  # noqa: SIM905 - a quoted list is ten times as long and no clearer

for _name in METHODS:
    setattr(Tensor, _name, getattr(F, _name))
for _name in inplace.__all__:
    setattr(Tensor, _name, getattr(inplace, _name))


def _where(self: Tensor, condition: Tensor, other: Tensor | float) -> Tensor:
    """self where the condition holds, else other."""
    return F.where(condition, self, other)  # type: ignore[no-any-return]


def _unfold(self: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """All windows of `size` elements along an axis, `step` apart; each becomes the last axis."""
    return unfold_axis(self, dimension, size, step)


Tensor.where = _where  # type: ignore[attr-defined]
Tensor.unfold = _unfold  # type: ignore[attr-defined]
guard_methods(Tensor)
Tensor.__deepcopy__ = deepcopied  # type: ignore[attr-defined]
Tensor.__reduce__ = reduced  # type: ignore[assignment]
