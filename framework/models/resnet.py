"""Residual networks. K. He, X. Zhang, S. Ren and J. Sun, "Deep residual learning for image
recognition", CVPR 2016, sections 3.3 and 4.1, table 1. Decks: D0, D2, D3, D4."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from .. import nn
from ..checks import choice
from ..errors import ArgumentError, fail
from ..functional import pad
from ..tensor import Tensor
from .common import scaler, start_by_he

Attention = Callable[[int], nn.Module]  # makes a module for so many channels


class ShortcutA(nn.Module):
    """The paper's option A: every `stride`-th pixel, and channels of zeros; nothing to learn."""

    def __init__(self, stride: int, extra: int) -> None:
        super().__init__()
        self.stride, self.extra = stride, extra

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C + extra, H / stride, W / stride)."""
        return pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))

    def extra_repr(self) -> str:
        """The arguments."""
        return f"stride={self.stride}, extra={self.extra}"


def shortcut_of(channels: int, out: int, stride: int, kind: str) -> nn.Module:
    """What brings x to a block's output: itself, option A, or option B, a 1x1 convolution."""
    if stride == 1 and channels == out:
        return nn.Identity()
    if kind == "A":
        return ShortcutA(stride, out - channels)
    return nn.Sequential(
        nn.Conv2d(channels, out, 1, stride, bias=False),
        nn.BatchNorm2d(out),
    )


class BasicBlock(nn.Module):
    """relu(x + bn2(conv2(relu(bn1(conv1(x)))))): two 3x3 convolutions learn what to add to x.

    Without `residual` nothing is added: a block of the paper's plain nets.
    """

    expansion = 1

    def __init__(
        self,
        channels: int,
        width: int,
        stride: int = 1,
        shortcut: str = "B",
        residual: bool = True,
        dilation: int = 1,
        stride_first: bool = False,
        attention: Attention | None = None,
    ) -> None:
        super().__init__()
        self.residual = residual
        self.conv1 = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.se = None if attention is None else attention(width)
        if residual:
            self.downsample = shortcut_of(channels, width, stride, shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) -> (N, width, H / stride, W / stride)."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return _join(self, x, y)


class Bottleneck(nn.Module):
    """A 1x1 convolution to `width` channels, a 3x3, a 1x1 to 4 `width`, added to x.

    The stride is that of the 3x3 convolution, as in torchvision (its accuracy is higher), or of the
    first 1x1 with `stride_first`, as in the paper.
    """

    expansion = 4

    def __init__(
        self,
        channels: int,
        width: int,
        stride: int = 1,
        shortcut: str = "B",
        residual: bool = True,
        dilation: int = 1,
        stride_first: bool = False,
        attention: Attention | None = None,
    ) -> None:
        super().__init__()
        self.residual = residual
        strides = (stride, 1) if stride_first else (1, stride)
        out = width * self.expansion
        self.conv1 = nn.Conv2d(channels, width, 1, strides[0], bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, strides[1], dilation, dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.se = None if attention is None else attention(out)
        self.relu = nn.ReLU()
        if residual:
            self.downsample = shortcut_of(channels, out, stride, shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) -> (N, 4 width, H / stride, W / stride)."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return _join(self, x, y)


def _join(block: BasicBlock | Bottleneck, x: Tensor, y: Tensor) -> Tensor:
    """The end of a block: its output from its input and what it learned to add."""
    if block.se is not None:
        y = block.se(y)
    out: Tensor = block.relu(y + block.downsample(x) if block.residual else y)
    return out


Block = type[BasicBlock] | type[Bottleneck]
DEPTHS: dict[int, tuple[Block, tuple[int, ...]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
    152: (Bottleneck, (3, 8, 36, 3)),
}


def stage(
    block: Block,
    channels: int,
    width: int,
    count: int,
    stride: int = 1,
    dilations: tuple[int, int] = (1, 1),
    **options: Any,
) -> nn.Sequential:
    """`count` blocks. The first changes size and channels, and has the first of the dilations."""
    first = block(channels, width, stride, dilation=dilations[0], **options)
    wide = width * block.expansion
    rest = (block(wide, width, dilation=dilations[1], **options) for _ in range(count - 1))
    return nn.Sequential(first, *rest)


class ResNet(nn.Module):
    """A 7x7 convolution, max pooling, four stages of residual blocks, a mean, a linear layer.

    x (N, in_channels, H, W) float32, 224 in the paper, at least 32 -> logits (N, num_classes). With
    1000 classes 11,689,512 (18), 21,797,672 (34), 25,557,032 (50), 44,549,160 (101) and 60,192,808
    (152) parameters, torchvision's names, start and layouts.

    shortcut "B" changes channels by 1x1 convolutions, torchvision's way; "A" by zeros.
    `residual=False` leaves the shortcuts out: the paper's plain nets. `stride_first` strides
    bottlenecks as the paper does, where ResNet-50 takes 3.8 G multiply-adds (4.1 else).
    `replace_stride_with_dilation` says of the last three stages whether they keep the size of the
    maps and dilate instead (bottlenecks only; for segmentation). `layers` are the numbers of blocks
    if not those of the depth, `width` multiplies all channels, `attention` makes what follows a
    block's last norm (see SE-ResNet). He et al. 2016. Decks: D0, D2, D3, D4.
    """

    def __init__(
        self,
        depth: int = 50,
        num_classes: int = 1000,
        in_channels: int = 3,
        shortcut: str = "B",
        residual: bool = True,
        stride_first: bool = False,
        zero_init_residual: bool = False,
        replace_stride_with_dilation: Sequence[bool] = (False, False, False),
        width: float = 1.0,
        layers: Sequence[int] | None = None,
        attention: Attention | None = None,
    ) -> None:
        super().__init__()
        choice("resnet", "shortcut", shortcut, ("A", "B"))
        block, counts = _plan(depth, layers, replace_stride_with_dilation)
        times = scaler("resnet", width)
        channels = times(64)
        self.conv1 = nn.Conv2d(in_channels, channels, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        options: dict[str, Any] = {"shortcut": shortcut, "residual": residual}
        options |= {"stride_first": stride_first, "attention": attention}
        self.map_channels: list[int] = []
        dilation = 1
        for i, count in enumerate(counts):
            before, stride = dilation, 1 if i == 0 else 2
            if i and replace_stride_with_dilation[i - 1]:
                dilation, stride = dilation * stride, 1
            size = times(64 * 2**i)
            blocks = stage(block, channels, size, count, stride, (before, dilation), **options)
            setattr(self, f"layer{i + 1}", blocks)
            channels = size * block.expansion
            self.map_channels.append(channels)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(channels, num_classes)
        start_by_he(self)
        if zero_init_residual:
            zero_last_norms(self)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of images."""
        logits: Tensor = self.fc(self.flatten(self.avgpool(self.maps(x)[-1])))
        return logits

    def maps(self, x: Tensor) -> list[Tensor]:
        """The maps after each stage, at strides 4, 8, 16 and 32: for segmentation and detection."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        found = []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            found.append(x)
        return found


def _plan(
    depth: int, layers: Sequence[int] | None, dilate: Sequence[bool]
) -> tuple[Block, Sequence[int]]:
    """The blocks of a net and their numbers."""
    if depth not in DEPTHS or len(layers or DEPTHS[depth][1]) != 4 or len(dilate) != 3:
        raise fail(
            ArgumentError,
            "resnet",
            f"expected a depth of {', '.join(map(str, DEPTHS))}, four numbers of layers and three "
            f"of replace_stride_with_dilation, got {depth!r}, {layers} and {dilate}; leave out "
            "what is to be as published",
        )
    block, counts = DEPTHS[depth]
    if any(dilate) and block is BasicBlock:
        raise fail(
            ArgumentError,
            "resnet",
            f"expected bottlenecks to dilate, got depth {depth}, which has none; use 50",
        )
    return block, layers or counts


def zero_last_norms(model: nn.Module) -> None:
    """Let each block begin as the identity: its last norm's weight is 0 (Goyal et al. 2017)."""
    for module in model.modules():
        if isinstance(module, (BasicBlock, Bottleneck)):
            nn.init.zeros_(getattr(module, "bn2" if module.expansion == 1 else "bn3").weight)


resnet18, resnet34, resnet50 = partial(ResNet, 18), partial(ResNet, 34), partial(ResNet, 50)
resnet101, resnet152 = partial(ResNet, 101), partial(ResNet, 152)
