"""The table of architectures: parameters and multiply-adds, as published, without any weights."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from etude.framework import models, nn
from etude.framework.dtypes import DEFAULT
from etude.framework.errors import ArgumentError
from etude.framework.graph.summary import Summary, summarize

# Parameters: torchvision's documentation for the models that it has. LeNet-5: the 1998 count with
# all connections and a linear last layer. AlexNet at 227: by its layers, 60,965,224 with two
# streams, the paper's "60 million". ZFNet, NiN: by their layers; NiN on CIFAR-10 is known as 0.97
# million. CIFAR ResNets: He et al. 2016, table 6 (0.27, 0.46, 0.66, 0.85, 1.7 million).
# FCN: VGG-16's 14,714,688 of the convolutions and torchvision's head; on ResNet-50 torchvision's
# 35,322,218 with the auxiliary head. Siamese: Koch et al. 2015. Transformer: GPT-2's 124 million.
# SE-ResNet-50: ResNet-50 and section 4's 2 / 16 sum N_s C_s^2 = 2,514,944, and 16,048 biases.
PARAMETERS = {
    "mlp": 235_146,
    "lenet5": 61_706,
    "alexnet": 61_100_840,
    "zfnet": 62_357_608,
    "nin": 966_986,
    "vgg11_small": 9_225_610,
    "vgg11": 132_863_336,
    "vgg13": 133_047_848,
    "vgg16": 138_357_544,
    "vgg19": 143_667_240,
    "vgg11_bn": 132_868_840,
    "vgg13_bn": 133_053_736,
    "vgg16_bn": 138_365_992,
    "vgg19_bn": 143_678_248,
    "googlenet": 6_624_904,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "resnet20": 269_722,
    "resnet32": 464_154,
    "resnet44": 658_586,
    "resnet56": 853_018,
    "resnet110": 1_727_962,
    "densenet121": 7_978_856,
    "se_resnet50": 25_557_032 + 2_514_944 + 16_048,
    "neocognitron": 312 + 2_616 + 6_944 + 1_290,
    "fcn32s": 15_307_477,
    "fcn16s": 15_307_477 + 513 * 21,
    "fcn8s": 15_307_477 + (513 + 257) * 21,
    "fcn_resnet50": 32_957_013,
    "siamese": 38_951_745,
    "rpn": 512 * 513 + 8 * 512 * 512 + 513 * 9 * 5,
    "char_rnn": 128 * 64 + 256 * (64 + 256 + 2) + 257 * 128,
    "char_lstm": 128 * 64 + 4 * 256 * (64 + 256 + 2) + 257 * 128,
    "tagger": 10_000 * 100 + 2 * 4 * 128 * (100 + 128 + 2) + 257 * 9,
    "transformer": 124_439_808,
}

FORMS: list[tuple[str, dict[str, Any], int]] = [
    ("alexnet", {"image_size": 227}, 62_378_344),
    ("alexnet", {"image_size": 227, "groups": 2, "lrn": True}, 60_965_224),
    ("alexnet", {"image_size": 227, "groups": 2, "without": [7]}, 60_965_224 - 4096 * 4097),
    ("nin", {"form": "imagenet", "num_classes": 1000}, 7_595_176),
    ("googlenet", {"aux_logits": True}, 13_004_888),
    ("fcn_resnet50", {"aux": True}, 35_322_218),
    ("transformer", {"positions": "sinusoidal"}, 124_439_808 - 1024 * 768),
    ("resnet34", {"residual": False}, 21_797_672 - sum(m * 2 * m + 4 * m for m in (64, 128, 256))),
    ("resnet34", {"shortcut": "A"}, 21_797_672 - sum(m * 2 * m + 4 * m for m in (64, 128, 256))),
    ("resnet20", {"residual": False}, 269_722),
    ("resnet56", {"residual": False}, 853_018),
]

# Billions of multiply-adds at 224x224 as printed: He et al. 2016, table 1 and figure 3 (who cut
# the second decimal off), Szegedy et al. 2015, section 5; Hu et al. 2018, table 1 (3.87).
PAPER: dict[str, Any] = {"stride_first": True}
MULTIPLY_ADDS: list[tuple[str, dict[str, Any], float, float]] = [
    ("vgg19", {}, 19.6, 0.05),
    ("resnet18", {"shortcut": "A"}, 1.8, 0.05),
    ("resnet34", {"residual": False}, 3.6, 0.05),
    ("resnet34", {"shortcut": "A"}, 3.6, 0.05),
    ("resnet50", PAPER, 3.8, 0.1),
    ("resnet101", PAPER, 7.6, 0.1),
    ("resnet152", PAPER, 11.3, 0.1),
    ("googlenet", {"kernel": 5}, 1.5, 0.1),
]


@cache
def whole(name: str) -> Summary:
    return size_of(name)


def size_of(name: str, **options: Any) -> Summary:
    e = models.entry(name)
    side = options.get("image_size", 224 if options.get("form") == "imagenet" else None)
    shape = (3, side, side) if side else e.input_shape
    return summarize(lambda: models.create(name, **options), [(1, *shape)] * e.inputs, e.dtype)


def test_every_model_has_a_known_size() -> None:
    assert PARAMETERS.keys() == models.MODELS.keys()


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_as_published(name: str) -> None:
    found = whole(name)
    assert found.parameters == PARAMETERS[name]
    classes = 1000 if models.entry(name).input_shape[-1] == 224 else 10
    if models.entry(name).classifies:
        assert found.output == [(1, classes)]


@pytest.mark.parametrize("name, options, parameters", FORMS)
def test_other_forms_have_their_sizes(name: str, options: dict[str, Any], parameters: int) -> None:
    assert size_of(name, **options).parameters == parameters


@pytest.mark.parametrize("name, options, billions, within", MULTIPLY_ADDS)
def test_multiply_adds_are_as_published(
    name: str, options: dict[str, Any], billions: float, within: float
) -> None:
    found = size_of(name, **options).multiply_adds / 1e9
    assert abs(found - billions) < within, found


def test_recurrent_layers_count_their_products() -> None:
    # 64 steps of the input's and the state's four gates, and of the decoder.
    assert whole("char_lstm").multiply_adds == 64 * (4 * 256 * (64 + 256) + 256 * 128)


def test_transposed_convolutions_count_too() -> None:
    found = summarize(lambda: nn.ConvTranspose2d(3, 5, 4, 2, 1), [(1, 3, 8, 8)], DEFAULT)
    assert found.multiply_adds == 3 * 8 * 8 * 5 * 16


def test_layers_count_only_their_own_multiply_adds() -> None:
    # LeNet-5 by hand: two convolutions, three linear layers.
    expected = 28 * 28 * 6 * 25 + 10 * 10 * 16 * 6 * 25 + 400 * 120 + 120 * 84 + 84 * 10
    assert whole("lenet5").multiply_adds == expected


WRONG = [
    (lambda: models.VGG(12), "expected a depth of 11, 13, 16 or 19, got 12"),
    (lambda: models.AlexNet(image_size=225), "expected image_size 224 or 227"),
    (lambda: models.AlexNet(without=[1]), "layers 2 to 7 to leave out, got 224 and [1]"),
    (lambda: models.create("nin", form="mnist"), "choose from cifar, imagenet"),
    (lambda: models.ResNet(20), "expected a depth of 18, 34, 50, 101, 152"),
    (lambda: models.resnet50(layers=(1, 1)), "four numbers of layers"),
    (lambda: models.resnet50(shortcut="C"), "expected shortcut as one of 'A', 'B'"),
    (
        lambda: models.resnet18(replace_stride_with_dilation=(False, False, True)),
        "expected bottlenecks to dilate, got depth 18",
    ),
    (lambda: models.GoogLeNet(width=0), "expected width as a number > 0, got the number 0"),
]


@pytest.mark.parametrize("call, message", WRONG, ids=[w[1] for w in WRONG])
def test_what_is_wrong_is_said(call: Any, message: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        call()
    assert message in str(caught.value)
