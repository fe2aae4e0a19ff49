"""What `python -m etude.bench cuda` times: the work of the other cases at sizes that fill a GPU.

`Sized` names a function of cases_*.py, its sizes and small ones, as `Case` does, and the family by
which cuda_goals.py judges it. The tests and the checks on a device run all of them small.
"""

from __future__ import annotations

from typing import Any

from . import (
    cases_conv,
    cases_elementwise,
    cases_fused,
    cases_matmul,
    cases_more,
    cases_norm,
    cases_optim,
    cases_window,
)
from .case import Case

M = 1 << 20
Shape = tuple[int, ...]

LARGE = [(n, n, n) for n in (2048, 4096, 8192)]
SMALL = [(128, 128, 128), (256, 256, 256), (512, 512, 512)]
SKINNY = [(64, 784, 128), (16, 4096, 4096), (64, 65536, 64), (8, 25088, 4096), (32768, 64, 64)]

# name, x, w, stride, pad, groups, bias; a small x and w. Layers of ResNets at batch 32, of LeNet.
LAYERS: list[tuple[str, Shape, Shape, int, int, int, bool, Shape, Shape]] = [
    *(
        (f"3x3 32x{c}x{s}x{s}", (32, c, s, s), (c, c, 3, 3), 1, 1, 1, False,
         (2, 5, 6, 7), (7, 5, 3, 3))
        for c, s in ((64, 56), (128, 28), (256, 14), (512, 7))
    ),
    ("3x3 s2 32x128x28x28", (32, 64, 56, 56), (128, 64, 3, 3), 2, 1, 1, False,
     (2, 3, 8, 8), (5, 3, 3, 3)),
    ("7x7 s2 32x3x224x224", (32, 3, 224, 224), (64, 3, 7, 7), 2, 3, 1, False,
     (1, 3, 11, 11), (4, 3, 7, 7)),
    ("1x1 64->256 at 56", (32, 64, 56, 56), (256, 64, 1, 1), 1, 0, 1, False,
     (2, 5, 4, 5), (7, 5, 1, 1)),
    ("depthwise 128 at 28", (32, 128, 28, 28), (128, 1, 3, 3), 1, 1, 128, False,
     (2, 5, 6, 6), (5, 1, 3, 3)),
    ("LeNet conv1", (64, 1, 32, 32), (6, 1, 5, 5), 1, 0, 1, True, (2, 1, 8, 8), (3, 1, 5, 5)),
    ("LeNet conv2", (64, 6, 14, 14), (16, 6, 5, 5), 1, 0, 1, True, (2, 3, 7, 7), (4, 3, 5, 5)),
]  # fmt: skip


def product(sizes: Shape, stored: str, family: str) -> Case:
    """One matrix product."""
    m, k, n = sizes
    small = (*cases_matmul.less(*sizes), stored)
    return Case(f"matmul {m}x{k}x{n} {stored}", family, cases_matmul.product, (*sizes, stored),
                small)  # fmt: skip


def conv(layer: Any, way: str) -> Case:
    """One pass of one layer."""
    what, x, w, stride, pad, groups, bias, small_x, small_w = layer
    small = (small_x, small_w, stride, pad, small_x[1] if groups > 1 else 1, bias)
    make = cases_conv.PASSES[way]
    return Case(f"conv {what} {way}", "conv", make, (x, w, stride, pad, groups, bias), small)


def unary(name: str, label: str, size: int, family: str) -> Case:
    """A function of each element."""
    make = cases_elementwise.unary
    return Case(f"{name} {label}", family, make, (name, size, False), (name, 37, False))


ONE, FUSED, FEW = cases_elementwise, cases_fused, cases_optim.FEW
IMAGES, SMALL_IMAGES = (32, 64, 112, 112), (2, 3, 4, 5)
MATMUL = [
    *(product(s, way, "gemm large") for s in LARGE[:2] for way in ("NN", "NT", "TN")),
    product(LARGE[2], "NN", "gemm large"),
    *(product(s, way, "gemm small") for s in SMALL for way in ("NN", "NT", "TN")),
    *(product(s, "NT", "gemm small") for s in SKINNY),
    *(
        Case(f"matmul batch {b}x{m}x{k}x{n}", "gemm small", cases_matmul.batched, (b, m, k, n),
             (2, 5, 7, 6))
        for b, m, k, n in ((96, 128, 64, 128), (512, 32, 32, 32))
    ),
    Case("linear+relu 4096x1024x1024", "gemm small", cases_matmul.layer, (4096, 1024, 1024),
         (5, 7, 6)),
]  # fmt: skip
MEMORY = [
    *(unary(name, "64M", 64 * M, "elementwise") for name in ("relu", "exp", "gelu")),
    Case("add 64M", "elementwise", ONE.add, ((64 * M,), (64 * M,), False), ((37,), (37,), False)),
    Case("add 16384x4096 + 4096", "elementwise", ONE.add, ((16384, 4096), (4096,), False),
         ((5, 19), (19,), False)),
    Case("10 plain functions 64M", "fused", FUSED.chain,
         (FUSED.PLAIN, (64 * M,), (64 * M,), ()), (FUSED.PLAIN, (37,), (37,), ())),
    Case("bias and tanh 16384x4096", "fused", FUSED.chain,
         (FUSED.BIAS, (16384, 4096), (4096,), ()), (FUSED.BIAS, (5, 19), (19,), ())),
    Case("bias+relu 16384x4096", "fused", cases_norm.bias_relu, (16384, 4096, False),
         (5, 19, False)),
    Case("transpose 8192x8192", "copy", ONE.transposed, (8192, 8192, False), (13, 37, False)),
    *(
        Case(f"{name} 16384x4096 {label}", "reduce", ONE.reduction, (name, (16384, 4096), axes),
             (name, (9, 21), axes))
        for name in ("sum", "max")
        for label, axes in ONE.AXES.items()
    ),
    *(
        Case(f"softmax {n}x{c}", "softmax", cases_norm.softmax, (n, c), (5, 19))
        for n, c in ((65536, 1000), (16384, 4096))
    ),
    Case("cross-entropy 65536x1000", "softmax", cases_norm.cross_entropy, (65536, 1000), (5, 19)),
    Case("batch norm 32x64x112x112 forward", "norm", cases_norm.batch_norm, (IMAGES,),
         (SMALL_IMAGES,)),
    Case("batch norm 32x64x112x112 gradient", "norm", cases_norm.batch_norm_grad, (IMAGES,),
         (SMALL_IMAGES,)),
    Case("layer norm 32768x1024 forward", "norm", cases_norm.layer_norm, (32768, 1024), (5, 19)),
    Case("layer norm 32768x1024 gradient", "norm", cases_norm.layer_norm_grad, (32768, 1024),
         (5, 19)),
    Case("group norm 32x64x112x112 forward", "norm", cases_norm.group_norm, (IMAGES, 32),
         ((3, 6, 6, 7), 2)),
    Case("group norm 32x64x112x112 gradient", "norm", cases_norm.group_norm_grad, (IMAGES, 32),
         ((3, 6, 6, 7), 2)),
    *(
        Case(f"{kind} pool {k}x{k} s{s} 32x64x112x112 {way}", "pool", cases_window.KINDS[kind, way],
             (IMAGES, k, s), ((1, 2, 7, 8), k, s))
        for kind, k, s in (("max", 3, 2), ("average", 2, 2))
        for way in ("forward", "gradient")
    ),
    Case("gather 65536 of 50000x512", "index", cases_more.gather, (50_000, 512, 65_536), (7, 5, 9)),
    Case("scatter-add 65536 to 50000x512", "index", cases_more.scatter_add, (50_000, 512, 65_536),
         (7, 5, 9)),
    Case("Adam 40M", "optimizer", cases_optim.adam, (((40_000_000,),),), (FEW,)),
    Case("SGD momentum 40M", "optimizer", cases_optim.sgd, (((40_000_000,),),), (FEW,)),
    Case("LSTM cell 1024x1024", "recurrent", cases_more.lstm_cell, (1024, 1024), (3, 7)),
    Case("philox 16M words", "random", cases_more.random_bits, (16 * M,), (11,)),
]  # fmt: skip
TINY = [
    unary("relu", "1k", 1000, "tiny"),
    unary("tanh", "1k", 1000, "tiny"),
    Case("add 1k", "tiny", ONE.add, ((1000,), (1000,), False), ((37,), (37,), False)),
    product((64, 84, 10), "NT", "tiny"),
    Case("softmax 64x10", "tiny", cases_norm.softmax, (64, 10), (5, 19)),
    Case("Adam LeNet-5", "tiny", cases_optim.adam, (cases_optim.LENET,), (FEW,)),
]
CONV = [conv(layer, way) for layer in LAYERS for way in cases_conv.PASSES]
CASES = [*MATMUL, *CONV, *MEMORY, *TINY]
# Lower precision behind `etude.set_float32_matmul_precision`: only these, and judged by themselves.
LOWER = [product(s, "NN", "gemm lower") for s in LARGE[:2]]
LOWER += [conv(LAYERS[0], "forward")]
