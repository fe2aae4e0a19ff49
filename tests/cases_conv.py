"""Cases of convolution and its transpose. The oracles are the definitions, place by place."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from case import Case, t


def spread(value: Any, rank: int) -> list[int]:
    return list(value) if isinstance(value, (tuple, list)) else [value] * rank


def conv(
    x: Any,
    w: Any,
    b: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    """y[n, o, p] = b[o] + sum over c, k of w[o, c, k] x[n, c, p * stride - pad + k * dilation]."""
    rank = w.ndim - 2
    if x.ndim == rank + 1:
        return conv(x[None], w, b, stride, padding, dilation, groups)[0]
    strides, dilations, kernel = spread(stride, rank), spread(dilation, rank), w.shape[2:]
    spans = [d * (k - 1) for d, k in zip(dilations, kernel)]
    if padding == "same":
        widths = [(s // 2, s - s // 2) for s in spans]
    else:
        widths = [(p, p) for p in spread(0 if padding == "valid" else padding, rank)]
    x = np.pad(x, [(0, 0), (0, 0), *widths])
    counts = [(n - s - 1) // t + 1 for n, s, t in zip(x.shape[2:], spans, strides)]
    y = np.zeros((x.shape[0], w.shape[0], *counts))
    per_in, per_out = w.shape[1], w.shape[0] // groups
    for o, place in product(range(w.shape[0]), product(*map(range, counts))):
        first = o // per_out * per_in
        window = tuple(
            slice(p * t, p * t + s + 1, d) for p, t, s, d in zip(place, strides, spans, dilations)
        )
        patch = x[(slice(None), slice(first, first + per_in), *window)]
        y[(slice(None), o, *place)] = np.einsum(
            "nx,x->n", patch.reshape(len(x), w[o].size), w[o].ravel()
        )
    return y if b is None else y + b.reshape(-1, *[1] * rank)


def conv_transpose(
    x: Any,
    w: Any,
    b: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Any:
    """Each element of x adds its multiple of the kernel to the output."""
    rank = w.ndim - 2
    if x.ndim == rank + 1:
        return conv_transpose(x[None], w, b, stride, padding, output_padding, groups, dilation)[0]
    strides, dilations, pads = spread(stride, rank), spread(dilation, rank), spread(padding, rank)
    spans = [d * (k - 1) + 1 for d, k in zip(dilations, w.shape[2:])]
    extra = spread(output_padding, rank)
    full = [(n - 1) * s + k + e for n, s, k, e in zip(x.shape[2:], strides, spans, extra)]
    per_in, per_out = x.shape[1] // groups, w.shape[1]
    y = np.zeros((x.shape[0], per_out * groups, *full))
    for c, place in product(range(x.shape[1]), product(*map(range, x.shape[2:]))):
        first = c // per_in * per_out
        window = tuple(
            slice(p * t, p * t + s, d) for p, t, s, d in zip(place, strides, spans, dilations)
        )
        value = x[(slice(None), c, *place)].reshape(-1, *[1] * (rank + 1))
        y[(slice(None), slice(first, first + per_out), *window)] += value * w[c]
    y = y[(..., *(slice(p, n - p) for p, n in zip(pads, full)))]
    return y if b is None else y + b.reshape(-1, *[1] * rank)


X, W, B = t(2, 3, 5, 6), t(4, 3, 3, 2), t(4)

CASES = [
    Case("conv2d", [X, W, B], conv),
    Case("conv2d without bias", [X, W], conv),
    Case("conv2d stride", [X, W, B], conv, {"stride": 2}),
    Case("conv2d strides", [X, W, B], conv, {"stride": (1, 3)}),
    Case("conv2d padding", [X, W, B], conv, {"padding": (2, 1)}),
    Case("conv2d stride and padding", [X, W, B], conv, {"stride": 2, "padding": 1}),
    Case("conv2d dilation", [X, W, B], conv, {"dilation": (2, 3)}),
    Case(
        "conv2d all of them",
        [t(1, 2, 7, 8), t(3, 2, 3, 2), t(3)],
        conv,
        {"stride": (2, 3), "padding": (1, 2), "dilation": 2},
    ),
    Case("conv2d valid", [X, W], conv, {"padding": "valid"}),
    Case("conv2d same", [X, t(4, 3, 3, 3), B], conv, {"padding": "same"}),
    Case("conv2d same with an even kernel", [X, t(2, 3, 2, 4)], conv, {"padding": "same"}),
    Case("conv2d same dilated", [X, t(2, 3, 3, 2)], conv, {"padding": "same", "dilation": 2}),
    Case("conv2d groups", [t(2, 4, 5, 4), t(6, 2, 3, 3), t(6)], conv, {"groups": 2}),
    Case("conv2d depthwise", [t(2, 3, 5, 4), t(6, 1, 3, 3)], conv, {"groups": 3, "padding": 1}),
    Case("conv2d 1x1", [t(2, 3, 4, 5), t(4, 3, 1, 1), t(4)], conv),
    Case("conv2d 1x1 stride", [t(2, 3, 4, 5), t(4, 3, 1, 1)], conv, {"stride": 2}),
    Case("conv2d whole image", [t(2, 3, 4, 5), t(4, 3, 4, 5), t(4)], conv),
    Case(
        "conv2d kernel larger than the image", [t(1, 1, 2, 2), t(1, 1, 4, 4)], conv, {"padding": 1}
    ),
    Case("conv2d one image", [t(3, 5, 6), W, B], conv),
    Case("conv2d no image", [t(0, 3, 5, 6), W, B], conv),
    Case("conv1d", [t(2, 3, 7), t(4, 3, 3), t(4)], conv),
    Case(
        "conv1d all of them",
        [t(2, 4, 9), t(4, 2, 3), t(4)],
        conv,
        {"stride": 2, "padding": 2, "dilation": 2, "groups": 2},
    ),
    Case("conv1d one signal", [t(3, 7), t(4, 3, 3)], conv),
    Case("conv3d", [t(1, 2, 3, 4, 3), t(2, 2, 2, 3, 2), t(2)], conv),
    Case(
        "conv3d all of them",
        [t(1, 2, 4, 4, 5), t(2, 1, 2, 3, 2)],
        conv,
        {"stride": (1, 2, 1), "padding": (1, 0, 1), "groups": 2},
    ),
    Case("conv_transpose2d", [t(2, 3, 4, 3), t(3, 2, 3, 2), t(2)], conv_transpose),
    Case(
        "conv_transpose2d stride",
        [t(2, 3, 3, 2), t(3, 2, 3, 2), t(2)],
        conv_transpose,
        {"stride": 2, "padding": 1, "output_padding": 1},
    ),
    Case(
        "conv_transpose2d dilation",
        [t(1, 2, 3, 3), t(2, 2, 2, 3)],
        conv_transpose,
        {"dilation": (2, 1), "stride": (1, 2)},
    ),
    Case(
        "conv_transpose2d groups",
        [t(1, 4, 3, 3), t(4, 2, 2, 2), t(4)],
        conv_transpose,
        {"groups": 2},
    ),
    Case("conv_transpose2d one image", [t(3, 4, 3), t(3, 2, 3, 2)], conv_transpose),
    Case(
        "conv_transpose2d padded by dilation",
        [t(1, 1, 3, 3), t(1, 1, 2, 2)],
        conv_transpose,
        {"dilation": 2, "output_padding": 1},
    ),
    Case(
        "conv_transpose1d",
        [t(2, 3, 4), t(3, 2, 3), t(2)],
        conv_transpose,
        {"stride": 2, "padding": 1},
    ),
    Case(
        "conv_transpose3d",
        [t(1, 2, 2, 3, 2), t(2, 1, 2, 2, 3), t(1)],
        conv_transpose,
        {"stride": (1, 2, 1)},
    ),
]
