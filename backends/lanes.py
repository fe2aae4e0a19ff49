"""Batches in lanes: which instructions can work on a batch whose examples lie side by side.

    images     x[n, c, h, w]  in memory as  base[h, c, w, n]
    features   x[n, f]        in memory as  base[f, n]

With the examples innermost, all that a convolution or a pool does to one position it does to a run
of N numbers, whatever the stride and the kernel; rows of windows lie one after the other; and an
affine layer multiplies its weights as they are. A program says in `lanes` which values may lie so;
a backend that gains nothing by it lays them as always.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from .program import Instruction, Value
from .tier1 import Shape

BATCHES = {  # methods that can, and the places of batches among their arguments
    "conv": (0,),
    "conv_input_grad": (0,),
    "conv_weight_grad": (0, 1),
    "cross_entropy_mean": (0,),
    "cross_entropy_mean_grad": (1,),
    "linear": (0,),
    "linear_grad": (0, 1),
    "linear_grad_sgd": (0, 1),
    "linear_grad_adam": (0, 1),
    "max_pool": (0,),
    "max_pool_grad": (0, 1),
    "reduce": (1,),
    "reshape": (0,),
    "fused": (1,),  # a list
    "unary": (1,),
    "binary": (1, 2),
}
LINEAR_GRADS = ("linear_grad", "linear_grad_sgd", "linear_grad_adam")
STRIDE = {"conv": 3, "conv_input_grad": 3, "conv_weight_grad": 3}  # its place
WITHOUT_OUT = {"linear": 4, "cross_entropy_mean": 3, "cross_entropy_mean_grad": 5}  # arguments
FLOATS = ("float32", "float64")
ALL = ((0, 2, 3), (0, 1, 2, 3))  # axes that mean the same in either order
FEWEST = 16  # examples: a vector


def turned(shape: Shape) -> Shape:
    """The shape in memory of a batch (N, C, H, W) or (N, F)."""
    if len(shape) == 2:
        return shape[1], shape[0]
    n, c, h, w = shape
    return h, c, w, n


def batches(i: Instruction) -> list[Any]:
    """The arguments of an instruction that are batches, or numbers in their place."""
    if i.method == "fused":
        return list(i.arguments[1])
    return [i.arguments[at] for at in BATCHES[i.method] if at < len(i.arguments)]


def made(i: Instruction) -> Value | None:
    """The batch that an instruction makes; None if it sums over the examples."""
    if i.method in ("conv_weight_grad", "reduce"):
        return None
    if i.method in LINEAR_GRADS and not i.arguments[3][0]:
        return None
    return i.outputs[i.method == "cross_entropy_mean"]  # after the loss, the softmax


def able(i: Instruction) -> bool:
    """Whether an instruction can work on batches in lanes."""
    if i.method not in BATCHES:
        return False
    found = [v for v in (*batches(i), made(i)) if isinstance(v, Value)]
    shapes = [v.shape for v in found if v.shape is not None and 0 not in v.shape]
    if len(shapes) < len(found) or not found or found[0].dtype not in FLOATS:
        return False
    if any(len(s) not in (2, 4) or s[0] < FEWEST or s[0] != shapes[0][0] for s in shapes):
        return False
    a = i.arguments
    if i.method in STRIDE:
        return _plain_windows(i)
    if i.method == "max_pool":
        return len(shapes[0]) == 4 and not any(map(any, a[3])) and set(a[4]) == {1}
    if i.method == "reduce":
        return len(shapes[0]) == 4 and len(a) == 3 and tuple(a[2]) in ALL
    if i.method == "fused":
        return {*shapes} == {tuple(a[2])} and a[0].reduce is None and len(a) == 3
    if i.method in ("unary", "binary"):
        return len({*shapes}) == 1 and len(a) == len(BATCHES[i.method]) + 1
    if i.method == "reshape":
        return sorted(map(len, shapes)) == [2, 4]
    if i.method in WITHOUT_OUT:
        return len(shapes[0]) == 2 and len(a) <= WITHOUT_OUT[i.method]
    return i.method in LINEAR_GRADS or len(shapes[0]) == 4


def _plain_windows(i: Instruction) -> bool:
    """Whether a convolution has planes, stride and dilation 1, one group, and no `out`."""
    a, at = i.arguments, STRIDE[i.method]
    w_shape = a[2] if i.method == "conv_weight_grad" else a[1].shape
    strides, padding, dilation, groups = a[at : at + 4]
    reach = all(p < k for k, pair in zip(w_shape[2:], padding) for p in pair)
    several = len(a) <= at + 4 + (i.method == "conv")  # with the activation
    return several and reach and len(strides) == 2 and groups == 1 and {*strides, *dilation} == {1}


def in_lanes(i: Instruction, lanes: Container[Value]) -> bool:
    """Whether an instruction works so, given the values that lie in lanes."""
    if not able(i):
        return False
    y = made(i)
    last = batches(i)[0 if i.method in LINEAR_GRADS else -1]  # the gradient, or what is summed
    return (last if y is None else y) in lanes
