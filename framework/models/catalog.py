"""Models by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any

from .. import nn
from ..dtypes import DEFAULT, DType, int64
from ..errors import ArgumentError, fail, nearest
from . import char_rnn, densenet, fcn, googlenet, resnet, resnet_cifar, se_resnet, vgg
from .alexnet import AlexNet
from .lenet import LeNet5
from .mlp import mlp
from .neocognitron import Neocognitron
from .nin import NetworkInNetwork
from .rpn import RPN
from .siamese import siamese
from .tagger import Tagger
from .transformer import Transformer
from .zfnet import ZFNet


@dataclass(frozen=True)
class Entry:
    """How to build a model, and what it takes when built without options.

    input_shape: of one sample, (C, H, W) for images; inputs: how many such the model takes;
    classifies: whether it makes logits of an image, so that it can be trained by labels.
    """

    build: Callable[..., nn.Module]
    input_shape: tuple[int, ...]
    classifies: bool = True
    inputs: int = 1
    dtype: DType = DEFAULT


DIGIT, SMALL, LARGE = (1, 32, 32), (3, 32, 32), (3, 224, 224)
MODELS = {
    "mlp": Entry(mlp, (1, 28, 28)),
    "neocognitron": Entry(Neocognitron, DIGIT),
    "lenet5": Entry(LeNet5, DIGIT),
    "alexnet": Entry(AlexNet, LARGE),
    "zfnet": Entry(ZFNet, LARGE),
    "nin": Entry(NetworkInNetwork, SMALL),
    "vgg11_small": Entry(vgg.vgg11_small, SMALL),
    "vgg11": Entry(vgg.vgg11, LARGE),
    "vgg13": Entry(vgg.vgg13, LARGE),
    "vgg16": Entry(vgg.vgg16, LARGE),
    "vgg19": Entry(vgg.vgg19, LARGE),
    "vgg11_bn": Entry(vgg.vgg11_bn, LARGE),
    "vgg13_bn": Entry(vgg.vgg13_bn, LARGE),
    "vgg16_bn": Entry(vgg.vgg16_bn, LARGE),
    "vgg19_bn": Entry(vgg.vgg19_bn, LARGE),
    "googlenet": Entry(googlenet.GoogLeNet, LARGE),
    "resnet18": Entry(resnet.resnet18, LARGE),
    "resnet34": Entry(resnet.resnet34, LARGE),
    "resnet50": Entry(resnet.resnet50, LARGE),
    "resnet101": Entry(resnet.resnet101, LARGE),
    "resnet152": Entry(resnet.resnet152, LARGE),
    "resnet20": Entry(resnet_cifar.resnet20, SMALL),
    "resnet32": Entry(resnet_cifar.resnet32, SMALL),
    "resnet44": Entry(resnet_cifar.resnet44, SMALL),
    "resnet56": Entry(resnet_cifar.resnet56, SMALL),
    "resnet110": Entry(resnet_cifar.resnet110, SMALL),
    "densenet121": Entry(densenet.densenet121, LARGE),
    "se_resnet50": Entry(se_resnet.se_resnet50, LARGE),
    "fcn32s": Entry(fcn.fcn32s, LARGE, False),
    "fcn16s": Entry(fcn.fcn16s, LARGE, False),
    "fcn8s": Entry(fcn.fcn8s, LARGE, False),
    "fcn_resnet50": Entry(fcn.fcn_resnet50, LARGE, False),
    "siamese": Entry(siamese, (1, 105, 105), False, inputs=2),
    "rpn": Entry(RPN, (512, 14, 14), False),
    "char_rnn": Entry(char_rnn.char_rnn, (64,), False, dtype=int64),
    "char_lstm": Entry(char_rnn.char_lstm, (64,), False, dtype=int64),
    "tagger": Entry(Tagger, (32,), False, dtype=int64),
    "transformer": Entry(Transformer, (1024,), False, dtype=int64),
}


def entry(name: str) -> Entry:
    """What is known about a model. Raises ArgumentError, naming the nearest, if there is none."""
    if name not in MODELS:
        raise fail(ArgumentError, "models", f"no model is called {name!r}; {nearest(name, MODELS)}")
    return MODELS[name]


def classifier(name: str, op: str) -> Entry:
    """What is known about a model that makes logits of images; ArgumentError if it does not."""
    found = entry(name)
    if not found.classifies:
        raise fail(
            ArgumentError,
            op,
            f"expected a model that makes logits of an image, got {name!r}, which does not; "
            "train it by a loop of its own, or choose resnet20",
        )
    return found


def create(name: str, **options: Any) -> nn.Module:
    """Build a model by name, with new weights on the default backend.

    `create("lenet5", num_classes=26)`. Raises ArgumentError for an unknown name or option.
    """
    build = entry(name).build
    known = signature(build).parameters
    for option in options:
        if option not in known:
            raise fail(ArgumentError, name, f"has no option {option!r}; {nearest(option, known)}")
    return build(**options)
