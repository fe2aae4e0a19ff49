"""Convolutions, forward and both gradients: 3x3 of VGG's kind, first layers, 1x1, depthwise."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import references
from .case import Case, Step, Work, uniform

Shape = tuple[int, ...]


def forward(
    rng: np.random.Generator, x: Shape, w: Shape, stride: int, pad: int, groups: int, bias: bool
) -> Work:
    """y from x (N, C, H, W) and w (O, C/groups, K, K)."""
    inputs = [uniform(rng, *x), uniform(rng, *w)]
    if bias:
        inputs.append(uniform(rng, w[0]))
    steps, pads = (stride, stride), ((pad, pad), (pad, pad))

    def ours(backend: Any, x: Any, w: Any, b: Any = None) -> Step:
        return lambda: backend.conv(x, w, b, steps, pads, (1, 1), groups)

    def in_torch(torch: Any, x: Any, w: Any, b: Any = None) -> Step:
        return lambda: torch.conv2d(x, w, b, stride, pad, 1, groups)

    def reference(x: Any, w: Any, b: Any = None) -> Any:
        return references.conv(x, w, b, stride, pad, groups)

    return Work(inputs, ours, reference, in_torch, flops=flops(x, w, stride, pad))


def input_grad(
    rng: np.random.Generator, x: Shape, w: Shape, stride: int, pad: int, groups: int, bias: bool
) -> Work:
    """The gradient for x."""
    steps, pads = (stride, stride), ((pad, pad), (pad, pad))

    def in_torch(torch: Any, g: Any, w: Any) -> Step:
        backward, like = torch.ops.aten.convolution_backward.default, torch.empty(x)
        rest = None, [stride] * 2, [pad] * 2, [1, 1], False, [0, 0], groups, [True, False, False]
        return lambda: backward(g, like, w, *rest)[0]

    return Work(
        [uniform(rng, *out_shape(x, w, stride, pad)), uniform(rng, *w)],
        ours=lambda backend, g, w: (
            lambda: backend.conv_input_grad(g, w, x, steps, pads, (1, 1), groups)
        ),
        torch=in_torch,
        reference=lambda g, w: references.conv_input_grad(g, w, x, stride, pad, groups),
        flops=flops(x, w, stride, pad),
    )


def weight_grad(
    rng: np.random.Generator, x: Shape, w: Shape, stride: int, pad: int, groups: int, bias: bool
) -> Work:
    """The gradient for w."""
    steps, pads = (stride, stride), ((pad, pad), (pad, pad))

    def in_torch(torch: Any, x: Any, g: Any) -> Step:
        backward, like = torch.ops.aten.convolution_backward.default, torch.empty(w)
        rest = None, [stride] * 2, [pad] * 2, [1, 1], False, [0, 0], groups, [False, True, False]
        return lambda: backward(g, x, like, *rest)[1]

    return Work(
        [uniform(rng, *x), uniform(rng, *out_shape(x, w, stride, pad))],
        ours=lambda backend, x, g: (
            lambda: backend.conv_weight_grad(x, g, w, steps, pads, (1, 1), groups)
        ),
        torch=in_torch,
        reference=lambda x, g: references.conv_weight_grad(x, g, w, stride, pad, groups),
        flops=flops(x, w, stride, pad),
    )


def out_shape(x: Shape, w: Shape, stride: int, pad: int) -> Shape:
    """(N, O, H', W')."""
    return x[0], w[0], *(references.out_size(s, w[2], stride, pad) for s in x[2:])


def flops(x: Shape, w: Shape, stride: int, pad: int) -> float:
    """Two for each weight and output pixel; all three passes need as many."""
    n, _, height, width = out_shape(x, w, stride, pad)
    return 2.0 * n * height * width * float(np.prod(w))


# name, x, w, stride, pad, groups, bias; then a small x and w.
LAYERS: list[tuple[str, Shape, Shape, int, int, int, bool, Shape, Shape]] = [
    *(
        (f"3x3 8x{c}x{s}x{s}", (8, c, s, s), (c, c, 3, 3), 1, 1, 1, False,
         (2, 5, 9, 11), (7, 5, 3, 3))
        for c, s in ((64, 56), (128, 28), (256, 14), (512, 7))
    ),
    ("LeNet conv1", (64, 1, 32, 32), (6, 1, 5, 5), 1, 0, 1, True, (3, 1, 12, 12), (6, 1, 5, 5)),
    ("LeNet conv2", (64, 6, 14, 14), (16, 6, 5, 5), 1, 0, 1, True, (3, 6, 9, 9), (16, 6, 5, 5)),
    ("AlexNet conv1", (8, 3, 224, 224), (64, 3, 11, 11), 4, 2, 1, True,
     (2, 3, 27, 27), (5, 3, 11, 11)),
    ("1x1 256->1024 at 14", (8, 256, 14, 14), (1024, 256, 1, 1), 1, 0, 1, False,
     (2, 17, 6, 7), (19, 17, 1, 1)),
    ("depthwise 128 at 28", (8, 128, 28, 28), (128, 1, 3, 3), 1, 1, 128, False,
     (2, 5, 9, 9), (5, 1, 3, 3)),
    ("ResNet-20 stage 1", (32, 16, 32, 32), (16, 16, 3, 3), 1, 1, 1, False,
     (2, 5, 9, 11), (7, 5, 3, 3)),
    ("ResNet-20 stage 2 s2", (32, 16, 32, 32), (32, 16, 3, 3), 2, 1, 1, False,
     (2, 5, 10, 12), (7, 5, 3, 3)),
    ("VGG conv1", (32, 3, 32, 32), (64, 3, 3, 3), 1, 1, 1, True, (2, 3, 9, 11), (7, 3, 3, 3)),
]  # fmt: skip
PASSES = {"forward": forward, "input gradient": input_grad, "weight gradient": weight_grad}


def case(layer: Any, name: str) -> Case:
    """One pass of one layer; depthwise ones keep as many groups as they have channels."""
    what, x, w, stride, pad, groups, bias, small_x, small_w = layer
    family = "conv 3x3" if what.startswith("3x3") else "conv"
    small_groups = small_x[1] if groups > 1 else 1
    small = (small_x, small_w, stride, pad, small_groups, bias)
    return Case(
        f"conv {what} {name}", family, PASSES[name], (x, w, stride, pad, groups, bias), small
    )


CASES = [case(layer, name) for layer in LAYERS for name in PASSES]
