"""Wrong calls of modules and of the functions that fill their weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from wrong import Wrong

import etude
from etude import nn
from etude.framework.errors import (
    ArgumentError,
    BackendMismatch,
    CallError,
    DTypeError,
    IndexOutOfRange,
    MissingAttribute,
    ShapeError,
    StateMismatch,
)

init = nn.init


def x(*shape: int) -> Any:
    return etude.ones(shape)


class Early(nn.Module):
    """Assigns before super().__init__()."""

    def __init__(self) -> None:
        self.fc = nn.Linear(1, 1)
        super().__init__()


class Never(nn.Module):
    """Does not call super().__init__()."""

    def __init__(self) -> None:
        pass


def assign(name: str, value: Any) -> Any:
    return lambda: setattr(nn.BatchNorm1d(2), name, value)


def load(state: Any, **options: Any) -> Any:
    return lambda: nn.Linear(2, 3).load_state_dict(state, **options)


GOOD = {"weight": np.zeros((3, 2)), "bias": np.zeros(3)}

CONSTRUCTORS = [
    Wrong("Linear no sizes", lambda: nn.Linear(), CallError, "in_features"),
    Wrong("Linear one size", lambda: nn.Linear(3), CallError, "out_features"),
    Wrong("Linear negative", lambda: nn.Linear(3, -1), ArgumentError, "out_features", "-1"),
    Wrong("Linear zero", lambda: nn.Linear(0, 1), ArgumentError, "in_features", "0"),
    Wrong("Linear a string", lambda: nn.Linear("a", 1), ArgumentError, "the string 'a'"),
    Wrong("Linear a fraction", lambda: nn.Linear(2.0, 1), ArgumentError, "2.0", "int("),
    Wrong("Linear a flag", lambda: nn.Linear(True, 1), ArgumentError, "True"),
    Wrong("Linear unknown", lambda: nn.Linear(2, 1, biass=0), CallError, "'biass'", "'bias'"),
    Wrong("Linear torch's device", lambda: nn.Linear(2, 1, device="cpu"), CallError, "'device'"),
    Wrong("Linear whole weights", lambda: nn.Linear(2, 1, dtype="int64"), DTypeError, "int64"),
    Wrong("backend of a layer", lambda: nn.Linear(2, 1, backend="nump"), ArgumentError, "'numpy'"),
    Wrong("Conv2d no kernel", lambda: nn.Conv2d(1, 2), CallError, "kernel_size"),
    Wrong("Conv2d zero kernel", lambda: nn.Conv2d(1, 2, 0), ArgumentError, "kernel_size", "0"),
    Wrong("Conv2d three sizes", lambda: nn.Conv2d(1, 2, (1, 2, 3)), ArgumentError, "(1, 2, 3)"),
    Wrong("Conv2d zero stride", lambda: nn.Conv2d(1, 2, 3, 0), ArgumentError, "stride"),
    Wrong("Conv2d negative pad", lambda: nn.Conv2d(1, 2, 3, padding=-1), ArgumentError, "-1"),
    Wrong("Conv2d padding", lambda: nn.Conv2d(1, 2, 3, padding="sme"), ArgumentError, "'sme'"),
    Wrong(
        "Conv2d same with a stride",
        lambda: nn.Conv2d(1, 2, 3, 2, padding="same"),
        ArgumentError,
        "stride",
    ),
    Wrong(
        "Conv2d padding mode",
        lambda: nn.Conv2d(1, 2, 3, padding_mode="reflec"),
        ArgumentError,
        "'reflec'",
        "'reflect'",
    ),
    Wrong(
        "Conv2d groups", lambda: nn.Conv2d(3, 4, 3, groups=2), ArgumentError, "groups=2", "3", "4"
    ),
    Wrong("Conv1d zero groups", lambda: nn.Conv1d(3, 4, 3, groups=0), ArgumentError, "groups"),
    Wrong("Conv3d channels", lambda: nn.Conv3d(0, 4, 3), ArgumentError, "in_channels"),
    Wrong(
        "ConvTranspose2d same",
        lambda: nn.ConvTranspose2d(1, 2, 3, padding="same"),
        ArgumentError,
        "'same'",
    ),
    Wrong("MaxPool2d nothing", lambda: nn.MaxPool2d(), CallError, "kernel_size"),
    Wrong("MaxPool2d zero", lambda: nn.MaxPool2d(0), ArgumentError, "kernel_size"),
    Wrong("MaxPool2d much padding", lambda: nn.MaxPool2d(2, padding=2), ArgumentError, "(2, 2)"),
    Wrong("AvgPool1d stride", lambda: nn.AvgPool1d(2, -1), ArgumentError, "stride"),
    Wrong("AvgPool2d two strides", lambda: nn.AvgPool2d(2, (1, 2, 3)), ArgumentError, "stride"),
    Wrong("AdaptiveAvgPool2d a string", lambda: nn.AdaptiveAvgPool2d("a"), ArgumentError, "'a'"),
    Wrong("BatchNorm2d features", lambda: nn.BatchNorm2d(-3), ArgumentError, "num_features"),
    Wrong("BatchNorm2d momentum", lambda: nn.BatchNorm2d(3, momentum=2), ArgumentError, "2"),
    Wrong("BatchNorm1d eps", lambda: nn.BatchNorm1d(3, eps=-1.0), ArgumentError, "eps", "-1.0"),
    Wrong("Dropout above 1", lambda: nn.Dropout(1.5), ArgumentError, "1.5", "drop"),
    Wrong("Dropout a percentage", lambda: nn.Dropout(50), ArgumentError, "50"),
    Wrong("Embedding sizes", lambda: nn.Embedding(0, 3), ArgumentError, "num_embeddings"),
    Wrong("Embedding padding", lambda: nn.Embedding(3, 2, 3), IndexOutOfRange, "padding_idx", "3"),
    Wrong("Embedding vectors", lambda: nn.Embedding.from_pretrained(x(3)), ShapeError, "(V, D)"),
    Wrong(
        "Embedding a list", lambda: nn.Embedding.from_pretrained([[1.0]]), CallError, "embeddings"
    ),
    Wrong("LeakyReLU slope", lambda: nn.LeakyReLU("a"), ArgumentError, "negative_slope"),
    Wrong("Softplus beta", lambda: nn.Softplus(0.0), ArgumentError, "beta", "> 0"),
    Wrong("GELU form", lambda: nn.GELU("tan"), ArgumentError, "'tan'", "'tanh'"),
    Wrong("Hardtanh limits", lambda: nn.Hardtanh(1.0, -1.0), ArgumentError, "swap"),
    Wrong("Softmax no dim", lambda: nn.Softmax(), CallError, "dim"),
    Wrong("LogSoftmax dim", lambda: nn.LogSoftmax(0.5), ArgumentError, "0.5"),
    Wrong("Unflatten sizes", lambda: nn.Unflatten(1, (2, "a")), ArgumentError, "'a'"),
    Wrong("MSELoss reduction", lambda: nn.MSELoss(reduction="avg"), ArgumentError, "'avg'"),
    Wrong("MSELoss by position", lambda: nn.MSELoss("sum"), CallError, "name"),
    Wrong("NLLLoss weight", lambda: nn.NLLLoss([1.0]), CallError, "weight", "[1.0]"),
    Wrong(
        "CrossEntropyLoss smoothing",
        lambda: nn.CrossEntropyLoss(label_smoothing=2.0),
        ArgumentError,
        "label_smoothing",
        "2.0",
    ),
    Wrong("Parameter of a list", lambda: nn.Parameter([1.0]), CallError, "[1.0]"),
    Wrong("requires_grad_ of ints", lambda: nn.Parameter(etude.tensor([1])), DTypeError, "int64"),
    Wrong("Sequential a list", lambda: nn.Sequential([nn.ReLU()]), DTypeError, "[ReLU()]"),
    Wrong("Sequential a class", lambda: nn.Sequential(nn.ReLU), DTypeError, "ReLU(...)"),
    Wrong("Sequential a function", lambda: nn.Sequential(etude.relu), DTypeError, "forward()"),
    Wrong("ModuleList a number", lambda: nn.ModuleList(3), CallError, "the number 3"),
    Wrong("ModuleList a module", lambda: nn.ModuleList([1]), DTypeError, "the number 1"),
]

FORWARDS = [
    Wrong("linear a list", lambda: nn.Linear(2, 3)([1.0, 2.0]), CallError, "input", "[1.0, 2.0]"),
    Wrong("linear features", lambda: nn.Linear(2, 3)(x(4, 5)), ShapeError, "in_features=5"),
    Wrong(
        "linear another backend",
        lambda: nn.Linear(2, 3, backend="python")(x(4, 2)),
        BackendMismatch,
        "'python'",
        "'numpy'",
    ),
    Wrong("conv2d channels", lambda: nn.Conv2d(3, 4, 3)(x(1, 1, 8, 8)), ShapeError, "RGB"),
    Wrong("conv2d too small", lambda: nn.Conv2d(1, 4, 5)(x(1, 1, 3, 3)), ShapeError, "(3, 3)"),
    Wrong("conv2d axes", lambda: nn.Conv2d(1, 4, 5)(x(8, 8)), ShapeError, "(8, 8)"),
    Wrong(
        "ConvTranspose2d size",
        lambda: nn.ConvTranspose2d(1, 1, 3, 2)(x(1, 1, 3, 3), output_size=(20, 20)),
        ShapeError,
        "(20, 20)",
    ),
    Wrong("max_pool2d axes", lambda: nn.MaxPool2d(2)(x(3, 4)), ShapeError, "(3, 4)"),
    Wrong("avg_pool2d None", lambda: nn.AvgPool2d(2)(None), CallError, "None"),
    Wrong("BatchNorm2d axes", lambda: nn.BatchNorm2d(3)(x(2, 3)), ShapeError, "(2, 3)"),
    Wrong("BatchNorm1d a string", lambda: nn.BatchNorm1d(3)("x"), CallError, "the string 'x'"),
    Wrong("batch_norm features", lambda: nn.BatchNorm1d(3)(x(4, 5)), ShapeError, "5"),
    Wrong("batch_norm one value", lambda: nn.BatchNorm1d(3)(x(1, 3)), ShapeError, "eval"),
    Wrong("embedding floats", lambda: nn.Embedding(3, 2)(x(2)), DTypeError, "float32"),
    Wrong(
        "embedding range",
        lambda: nn.Embedding(3, 2)(etude.tensor([0, 3])),
        IndexOutOfRange,
        "3",
    ),
    Wrong("flatten a number", lambda: nn.Flatten()(3), CallError, "the number 3"),
    Wrong("flatten axes", lambda: nn.Flatten(1)(x(3)), IndexOutOfRange, "1"),
    Wrong("Unflatten a size", lambda: nn.Unflatten(0, (2, 2))(x(3)), ShapeError, "(2, 2)"),
    Wrong("relu a string", lambda: nn.ReLU()("x"), CallError, "the string 'x'"),
    Wrong("softmax axis", lambda: nn.Softmax(3)(x(2, 2)), IndexOutOfRange, "3"),
    Wrong("mse_loss shapes", lambda: nn.MSELoss()(x(2), x(3)), ShapeError, "(2,)", "(3,)"),
    Wrong(
        "cross_entropy a list", lambda: nn.CrossEntropyLoss()(x(2, 3), [0, 1]), CallError, "target"
    ),
    Wrong(
        "cross_entropy a label",
        lambda: nn.CrossEntropyLoss()(x(1, 3), etude.tensor([3])),
        IndexOutOfRange,
        "3",
    ),
]

MODULES = [
    Wrong("Early assignment", Early, MissingAttribute, "super().__init__()", "self.fc"),
    Wrong("Never initialised", lambda: Never().training, MissingAttribute, "super().__init__()"),
    Wrong("ReLU unknown attribute", lambda: nn.ReLU().wieght, MissingAttribute, "'wieght'"),
    Wrong("Linear attribute", lambda: nn.Linear(1, 1).wieght, MissingAttribute, "'weight'"),
    Wrong("BatchNorm1d a parameter", assign("weight", x(2)), DTypeError, "Parameter", "copy_"),
    Wrong("BatchNorm1d a buffer", assign("running_mean", [0.0]), DTypeError, "[0.0]"),
    Wrong(
        "Sequential a child",
        lambda: setattr(nn.Sequential(nn.ReLU()), "0", x(1)),
        DTypeError,
        "Module",
    ),
    Wrong("ReLU buffer a dot", lambda: nn.ReLU().register_buffer("a.b", None), ArgumentError),
    Wrong("ReLU buffer no name", lambda: nn.ReLU().register_buffer("", None), ArgumentError),
    Wrong("ReLU buffer a list", lambda: nn.ReLU().register_buffer("a", [1]), DTypeError),
    Wrong(
        "ReLU buffer a taken name",
        lambda: nn.ReLU().register_buffer("inplace", None),
        ArgumentError,
        "'inplace'",
    ),
    Wrong(
        "ModuleDict module a method's name",
        lambda: nn.ModuleDict({"keys": nn.ReLU()}),
        ArgumentError,
        "'keys'",
    ),
    Wrong("ReLU module a list", lambda: nn.ReLU().add_module("a", [1]), DTypeError, "[1]"),
    Wrong(
        "ReLU parameter a tensor",
        lambda: nn.ReLU().register_parameter("a", x(1)),
        DTypeError,
        "nn.Parameter",
    ),
    Wrong("train a word", lambda: nn.ReLU().train("yes"), CallError, "'yes'"),
    Wrong("to whole numbers", lambda: nn.Linear(1, 1).to("int64"), DTypeError, "int64"),
    Wrong("backend unknown to a module", lambda: nn.ReLU().to("cudda"), ArgumentError, "'cudda'"),
    Wrong("Linear submodule", lambda: nn.Linear(1, 1).get_submodule("a"), MissingAttribute, "'a'"),
    Wrong("ModuleDict name", lambda: nn.ModuleDict({"ab": nn.ReLU()})["a"], MissingAttribute),
    Wrong("Sequential position", lambda: nn.Sequential(nn.ReLU())[1], IndexOutOfRange, "1"),
    Wrong("Sequential a name", lambda: nn.Sequential(nn.ReLU())["0"], CallError, "'0'"),
    Wrong("ModuleList delete", lambda: nn.ModuleList([nn.ReLU()]).__delitem__(-2), IndexOutOfRange),
    Wrong("load_state_dict a list", load([1]), CallError, "[1]"),
    Wrong("load_state_dict missing", load({}), StateMismatch, "missing keys weight, bias"),
    Wrong("load_state_dict unexpected", load({**GOOD, "c": x(1)}), StateMismatch, "keys c"),
    Wrong(
        "load_state_dict sizes",
        load({**GOOD, "bias": x(4)}, strict=False),
        StateMismatch,
        "bias: expected (3,), got (4,)",
    ),
    Wrong("load_state_dict an object", load({**GOOD, "bias": object()}), StateMismatch, "'bias'"),
    Wrong(
        "load_state_dict many keys",
        lambda: nn.Sequential(*[nn.Linear(1, 1) for _ in range(9)]).load_state_dict({}),
        StateMismatch,
        "and 14 more",
    ),
]

INITS = [
    Wrong("constant_ a list", lambda: init.zeros_([1.0]), CallError, "[1.0]"),
    Wrong("uniform_ bounds", lambda: init.uniform_(x(2), 1.0, 0.0), ArgumentError, "1.0", "0.0"),
    Wrong("normal_ deviation", lambda: init.normal_(x(2), 0.0, -1.0), ArgumentError, "std"),
    Wrong("uniform_ of ints", lambda: init.uniform_(etude.tensor([1])), DTypeError, "int64"),
    Wrong("xavier_uniform_ a bias", lambda: init.xavier_uniform_(x(3)), ShapeError, "(3,)"),
    Wrong("kaiming_normal_ a bias", lambda: init.kaiming_normal_(x(3)), ShapeError, "(3,)"),
    Wrong("orthogonal_ a bias", lambda: init.orthogonal_(x(3)), ShapeError, "(3,)"),
    Wrong(
        "kaiming_uniform_ mode",
        lambda: init.kaiming_uniform_(x(2, 2), mode="fan_inn"),
        ArgumentError,
        "'fan_in'",
    ),
    Wrong(
        "calculate_gain activation",
        lambda: init.kaiming_normal_(x(2, 2), nonlinearity="rellu"),
        ArgumentError,
        "'relu'",
    ),
    Wrong("kumar_normal_ relu", lambda: init.kumar_normal_(x(2, 2), "relu"), ArgumentError),
    Wrong("kumar_normal_ unknown", lambda: init.kumar_normal_(x(2, 2), "sine"), ArgumentError),
]

WRONG = [*CONSTRUCTORS, *FORWARDS, *MODULES, *INITS]
