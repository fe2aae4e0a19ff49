"""Wrong calls of convolution, pooling, padding and normalisation."""

from __future__ import annotations

from typing import Any

from wrong import Wrong

import etude
from etude import functional as F
from etude.framework.errors import ArgumentError, CallError, DTypeError, IndexOutOfRange, ShapeError


def x(*shape: int, **kwargs: Any) -> Any:
    return etude.ones(shape, **kwargs)


IMAGES, KERNELS = x(2, 3, 8, 8), x(4, 3, 3, 3)


def conv(**given: Any) -> Any:
    return lambda: F.conv2d(IMAGES, KERNELS, **given)


def pool(**given: Any) -> Any:
    return lambda: F.max_pool2d(IMAGES, **{"kernel_size": 2, **given})


CONVOLUTION = [
    Wrong(
        "conv2d grey images for colour weights",
        lambda: F.conv2d(x(2, 1, 8, 8), KERNELS),
        ShapeError,
        "(N, 3, H, W)",
        "(2, 1, 8, 8)",
        "in_channels=1 or convert to RGB",
    ),
    Wrong(
        "conv2d other channels",
        lambda: F.conv2d(x(2, 5, 8, 8), KERNELS),
        ShapeError,
        "(2, 5, 8, 8)",
        "in_channels=5",
    ),
    Wrong("conv2d flat images", lambda: F.conv2d(x(2, 192), KERNELS), ShapeError, "(2, 192)"),
    Wrong(
        "conv2d weight of 3 axes",
        lambda: F.conv2d(IMAGES, x(4, 3, 3)),
        ShapeError,
        "(4, 3, 3)",
        "(O, C/groups, H, W)",
    ),
    Wrong("conv2d weight a number", lambda: F.conv2d(IMAGES, 3), CallError, "the number 3"),
    Wrong("conv2d images None", lambda: F.conv2d(None, KERNELS), CallError, "None"),
    Wrong("conv2d no weight", lambda: F.conv2d(IMAGES), CallError, "no 'weight'"),
    Wrong("conv2d bias of another size", conv(bias=x(3)), ShapeError, "(4,)", "(3,)"),
    Wrong("conv2d bias a number", conv(bias=1.0), CallError, "the number 1.0"),
    Wrong(
        "conv2d kernel larger than the image",
        lambda: F.conv2d(x(1, 3, 2, 2), KERNELS),
        ShapeError,
        "(3, 3)",
        "(2, 2)",
        "padding",
    ),
    Wrong("conv2d dilated kernel larger than the image", conv(dilation=5), ShapeError, "(11, 11)"),
    Wrong("conv2d stride 0", conv(stride=0), ArgumentError, "stride", "the number 0"),
    Wrong("conv2d negative stride", conv(stride=(1, -1)), ArgumentError, "(1, -1)"),
    Wrong("conv2d fractional stride", conv(stride=1.5), ArgumentError, "1.5"),
    Wrong("conv2d three strides", conv(stride=(1, 1, 1)), ArgumentError, "(1, 1, 1)"),
    Wrong("conv2d negative padding", conv(padding=-1), ArgumentError, "padding", "-1"),
    Wrong("conv2d unknown padding", conv(padding="smae"), ArgumentError, "'smae'", "'same'"),
    Wrong(
        "conv2d padding same with stride 2", conv(padding="same", stride=2), ArgumentError, "(2, 2)"
    ),
    Wrong("conv2d dilation 0", conv(dilation=0), ArgumentError, "dilation"),
    Wrong("conv2d groups that do not divide", conv(groups=2), ShapeError, "groups=2"),
    Wrong("conv2d groups 0", conv(groups=0), ArgumentError, "groups", "the number 0"),
    Wrong("conv2d groups a string", conv(groups="all"), ArgumentError, "the string 'all'"),
    Wrong("conv2d misspelt argument", conv(strides=2), CallError, "'strides'", "'stride'"),
    Wrong("conv2d of bools", lambda: F.conv2d(IMAGES > 0, KERNELS > 0), DTypeError, "bool"),
    Wrong("conv1d images", lambda: F.conv1d(IMAGES, x(4, 3, 3)), ShapeError, "(2, 3, 8, 8)"),
    Wrong(
        "conv3d images", lambda: F.conv3d(IMAGES, x(4, 3, 3, 3, 3)), ShapeError, "(1, 2, 3, 8, 8)"
    ),
    Wrong(
        "conv_transpose2d other channels",
        lambda: F.conv_transpose2d(IMAGES, x(4, 3, 3, 3)),
        ShapeError,
        "(2, 3, 8, 8)",
        "(4, 3, 3, 3)",
    ),
    Wrong(
        "conv_transpose2d output_padding too large",
        lambda: F.conv_transpose2d(IMAGES, x(3, 4, 3, 3), output_padding=2),
        ArgumentError,
        "(2, 2)",
        "output_padding",
    ),
    Wrong(
        "conv_transpose2d too much padding",
        lambda: F.conv_transpose2d(IMAGES, x(3, 4, 3, 3), padding=9),
        ShapeError,
        "(-8, -8)",
    ),
    Wrong(
        "conv_transpose2d bias of another size",
        lambda: F.conv_transpose2d(IMAGES, x(3, 4, 3, 3), x(3)),
        ShapeError,
        "(4,)",
        "(3,)",
    ),
    Wrong(
        "conv_transpose1d flat input",
        lambda: F.conv_transpose1d(x(8), x(3, 4, 3)),
        ShapeError,
        "(8,)",
    ),
]

POOLING = [
    Wrong("max_pool2d flat images", lambda: F.max_pool2d(x(4, 64), 2), ShapeError, "(4, 64)"),
    Wrong("max_pool2d window larger than the image", pool(kernel_size=9), ShapeError, "(9, 9)"),
    Wrong("max_pool2d window of 0", pool(kernel_size=0), ArgumentError, "kernel_size"),
    Wrong("max_pool2d fractional window", pool(kernel_size=2.0), ArgumentError, "2.0"),
    Wrong("max_pool2d window None", pool(kernel_size=None), ArgumentError, "None"),
    Wrong("max_pool2d window a string", pool(kernel_size="2"), ArgumentError, "'2'"),
    Wrong("max_pool2d no window", lambda: F.max_pool2d(IMAGES), CallError, "'kernel_size'"),
    Wrong("max_pool2d too much padding", pool(padding=2), ArgumentError, "(2, 2)", "half"),
    Wrong("max_pool2d negative padding", pool(padding=-1), ArgumentError, "-1"),
    Wrong("max_pool2d stride 0", pool(stride=0), ArgumentError, "stride"),
    Wrong("max_pool2d of a list", lambda: F.max_pool2d([[1.0]], 1), CallError, "[[1.0]]"),
    Wrong(
        "avg_pool2d of whole numbers", lambda: F.avg_pool2d(IMAGES.long(), 2), DTypeError, "int64"
    ),
    Wrong(
        "avg_pool2d divisor 0",
        lambda: F.avg_pool2d(IMAGES, 2, divisor_override=0),
        ArgumentError,
        "divisor_override",
    ),
    Wrong("avg_pool1d images", lambda: F.avg_pool1d(IMAGES, 2), ShapeError, "(2, 3, 8, 8)"),
    Wrong("avg_pool3d images", lambda: F.avg_pool3d(x(8, 8), 2), ShapeError, "(8, 8)"),
    Wrong(
        "adaptive_avg_pool2d negative size",
        lambda: F.adaptive_avg_pool2d(IMAGES, -1),
        ArgumentError,
        "-1",
    ),
    Wrong(
        "adaptive_avg_pool2d three sizes",
        lambda: F.adaptive_avg_pool2d(IMAGES, (1, 2, 3)),
        ArgumentError,
        "(1, 2, 3)",
    ),
    Wrong(
        "adaptive_avg_pool2d flat images",
        lambda: F.adaptive_avg_pool2d(x(4, 64), 1),
        ShapeError,
        "(4, 64)",
    ),
]

PADDING = [
    Wrong("pad an odd number", lambda: F.pad(IMAGES, (1, 2, 3)), ArgumentError, "(1, 2, 3)"),
    Wrong(
        "pad more axes than there are",
        lambda: F.pad(x(3), (1, 1, 1, 1)),
        ArgumentError,
        "(1, 1, 1, 1)",
    ),
    Wrong(
        "pad unknown mode",
        lambda: F.pad(IMAGES, (1, 1), "mirror"),
        ArgumentError,
        "'mirror'",
        "'reflect'",
    ),
    Wrong(
        "pad reflect too far",
        lambda: F.pad(x(1, 1, 3, 3), (3, 3), "reflect"),
        ArgumentError,
        "(3, 3)",
        "size 3",
    ),
    Wrong(
        "pad circular too far",
        lambda: F.pad(x(1, 1, 3, 3), (4, 0), "circular"),
        ArgumentError,
        "(4, 0)",
    ),
    Wrong(
        "pad reflect with a value",
        lambda: F.pad(IMAGES, (1, 1), "reflect", 1.0),
        ArgumentError,
        "1.0",
    ),
    Wrong("pad crop more than there is", lambda: F.pad(x(3), (-2, -2)), ArgumentError, "(-2, -2)"),
    Wrong("pad by one number", lambda: F.pad(IMAGES, 1), CallError, "the number 1"),
    Wrong("pad by fractions", lambda: F.pad(IMAGES, (0.5, 0.5)), CallError, "0.5"),
    Wrong("pad with a string", lambda: F.pad(IMAGES, (1, 1), value="a"), CallError, "'a'"),
]

NORMS = [
    Wrong("batch_norm of a vector", lambda: F.batch_norm(x(3), None, None), ShapeError, "(3,)"),
    Wrong(
        "batch_norm of whole numbers",
        lambda: F.batch_norm(IMAGES.long(), None, None),
        DTypeError,
        "int64",
    ),
    Wrong(
        "batch_norm weight of another size",
        lambda: F.batch_norm(IMAGES, None, None, x(4), training=True),
        ShapeError,
        "(4,)",
        "num_features=3",
    ),
    Wrong(
        "batch_norm running_mean of another size",
        lambda: F.batch_norm(IMAGES, x(8), x(3)),
        ShapeError,
        "running_mean",
        "(8,)",
    ),
    Wrong(
        "batch_norm one running statistic",
        lambda: F.batch_norm(IMAGES, x(3), None),
        ArgumentError,
        "running_var",
    ),
    Wrong(
        "batch_norm one value per channel",
        lambda: F.batch_norm(x(1, 3), None, None, training=True),
        ShapeError,
        "(1, 3)",
        "eval()",
    ),
    Wrong(
        "batch_norm numbers for statistics",
        lambda: F.batch_norm(IMAGES, 0.0, 1.0),
        CallError,
        "the number 0.0",
    ),
    Wrong(
        "layer_norm other axes", lambda: F.layer_norm(x(2, 3), (4,)), ShapeError, "(4,)", "(2, 3)"
    ),
    Wrong(
        "group_norm groups that do not divide",
        lambda: F.group_norm(IMAGES, 2),
        ShapeError,
        "2",
        "3",
    ),
    Wrong(
        "norm normalize axis out of range",
        lambda: F.normalize(x(2, 3), dim=2),
        IndexOutOfRange,
        "got 2",
    ),
]

WRONG = [*CONVOLUTION, *POOLING, *PADDING, *NORMS]
