"""Every function on tensors: the ops under their public names, and compositions of them.

This is both `etude.exp` and friends and `etude.functional` (torch's `torch.nn.functional`).
"""
# ruff: noqa: F401 - this module is a list of names, some of them Python's own

from __future__ import annotations

from . import guard
from .composed.activations import *  # noqa: F403
from .composed.aliases import *  # noqa: F403
from .composed.arithmetic import *  # noqa: F403
from .composed.arrangement import *  # noqa: F403
from .composed.attention import *  # noqa: F403
from .composed.comparison import *  # noqa: F403
from .composed.crf import *  # noqa: F403
from .composed.dropout import *  # noqa: F403
from .composed.einsum import *  # noqa: F403
from .composed.embedding import *  # noqa: F403
from .composed.filters import *  # noqa: F403
from .composed.grid import *  # noqa: F403
from .composed.joining import *  # noqa: F403
from .composed.losses_classify import *  # noqa: F403
from .composed.losses_decks import *  # noqa: F403
from .composed.losses_generative import *  # noqa: F403
from .composed.losses_likelihood import *  # noqa: F403
from .composed.losses_margin import *  # noqa: F403
from .composed.losses_metric import *  # noqa: F403
from .composed.losses_regress import *  # noqa: F403
from .composed.norms import *  # noqa: F403
from .composed.penalties import *  # noqa: F403
from .composed.pooling import *  # noqa: F403
from .composed.products import *  # noqa: F403
from .composed.recurrent import *  # noqa: F403
from .composed.reductions import *  # noqa: F403
from .composed.regularise import *  # noqa: F403
from .composed.resampling import *  # noqa: F403
from .composed.retrieval import *  # noqa: F403
from .composed.running import *  # noqa: F403
from .composed.scattering import *  # noqa: F403
from .composed.smooth import *  # noqa: F403
from .composed.sorting import *  # noqa: F403
from .composed.spatial_pool import *  # noqa: F403
from .composed.special import *  # noqa: F403
from .composed.unpooling import *  # noqa: F403
from .ops.comparison import *  # noqa: F403
from .ops.conv import (
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
)
from .ops.derivatives import (
    ABS,
    ADD,
    DIV,
    EQ,
    FLOOR_DIVIDE,
    GE,
    GT,
    LE,
    LOGICAL_AND,
    LOGICAL_NOT,
    LOGICAL_OR,
    LOGICAL_XOR,
    LT,
    MUL,
    NE,
    NEG,
    REMAINDER,
    SUB,
)
from .ops.elementwise import as_tensor_operand, cast
from .ops.getitem import getitem, setitem
from .ops.index import (
    gather,
    index_select,
    masked_fill,
    masked_select,
    nonzero,
    one_hot,
    scatter_add,
    take_along_dim,
    tril,
    triu,
    where,
)
from .ops.layer_norm import layer_norm
from .ops.layout import (
    cat,
    chunk,
    diagonal,
    expand,
    flatten,
    flip,
    movedim,
    narrow,
    permute,
    reshape,
    split,
    squeeze,
    stack,
    transpose,
    unbind,
    unsqueeze,
    view_as,
)
from .ops.matmul import bmm, dot, linear, matmul, mm, mv, outer
from .ops.norm import batch_norm
from .ops.pointwise import *  # noqa: F403
from .ops.reduce import all_ as all
from .ops.reduce import (
    amax,
    amin,
    argmax,
    argmin,
    argsort,
    cumprod,
    cumsum,
    logsumexp,
    mean,
    norm,
    std,
    var,
)
from .ops.reduce import any_ as any
from .ops.reduce import max_ as max
from .ops.reduce import min_ as min
from .ops.reduce import prod_ as prod
from .ops.reduce import sum_ as sum
from .ops.response_norm import local_response_norm
from .ops.sampling import (
    bernoulli,
    manual_seed,
    multinomial,
    normal,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    randperm,
)
from .ops.softmax import log_softmax, softmax
from .ops.transfer import Clone, Move
from .ops.windows import fold, unfold

guard.guard_functions(globals(), __name__)
