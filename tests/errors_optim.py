"""Wrong calls of optimizers, schedules and clipping."""

from __future__ import annotations

from typing import Any

from wrong import Wrong

import etude
from etude import nn, optim
from etude.framework.errors import (
    ArgumentError,
    BackendMismatch,
    CallError,
    DTypeError,
    GradError,
    ShapeError,
    StateMismatch,
)


def p(*shape: int) -> Any:
    return nn.Parameter(etude.ones(shape or (2,)))


def sgd(**options: Any) -> Any:
    return optim.SGD([p()], **options)


def stepped(parameter: Any, gradient: Any) -> Any:
    def call() -> None:
        parameter.grad = gradient
        optim.SGD([parameter]).step()

    return call


def moved() -> None:
    layer = nn.Linear(1, 1)
    optimizer = optim.SGD(layer.parameters(), momentum=0.9)
    for backend in ("numpy", "python"):
        layer.to(backend).zero_grad()
        layer(etude.ones(1, 1, backend=backend)).sum().backward()
        optimizer.step()


def clip_infinity() -> None:
    parameter = p()
    parameter.grad = etude.tensor([float("nan"), 0.0])
    optim.clip_grad_norm_([parameter], 1.0, error_if_nonfinite=True)


def load(state: Any) -> Any:
    return lambda: sgd().load_state_dict(state)


def group(**options: Any) -> Any:
    return {"state": {}, "param_groups": [{**sgd().state_dict()["param_groups"][0], **options}]}


OPTIMIZERS = [
    Wrong("SGD nothing", lambda: optim.SGD(), CallError, "params"),
    Wrong("SGD no parameters", lambda: optim.SGD([]), ArgumentError, "none"),
    Wrong("Adam an empty model", lambda: optim.Adam(nn.ReLU().parameters()), ArgumentError),
    Wrong("SGD one tensor", lambda: optim.SGD(p()), ArgumentError, "list"),
    Wrong("SGD a number", lambda: optim.SGD(3), ArgumentError, "the number 3"),
    Wrong("SGD a model", lambda: optim.SGD(nn.Sequential(nn.ReLU())), DTypeError, "parameters()"),
    Wrong("SGD a linear layer", lambda: optim.SGD(nn.Linear(1, 1)), ArgumentError, "parameters()"),
    Wrong("SGD strings", lambda: optim.SGD(["w"]), DTypeError, "'w'"),
    Wrong("SGD a result", lambda: optim.SGD([p() * 2.0]), GradError, "'mul'"),
    Wrong("SGD whole numbers", lambda: optim.SGD([etude.tensor([1])]), DTypeError, "int64"),
    Wrong("SGD the same twice", lambda: optim.SGD([q := p(), q]), ArgumentError, "twice"),
    Wrong("SGD a group without params", lambda: optim.SGD([{"lr": 1.0}]), ArgumentError, "params"),
    Wrong(
        "SGD a group's option",
        lambda: optim.SGD([{"params": [p()], "momentun": 1.0}]),
        ArgumentError,
        "'momentun'",
        "'momentum'",
    ),
    Wrong("SGD lr", lambda: sgd(lr=-0.1), ArgumentError, "lr", "-0.1"),
    Wrong("SGD lr a string", lambda: sgd(lr="0.1"), ArgumentError, "'0.1'"),
    Wrong("SGD lr nan", lambda: sgd(lr=float("nan")), ArgumentError, "nan"),
    Wrong("SGD momentum", lambda: sgd(momentum=-1.0), ArgumentError, "momentum", "-1.0"),
    Wrong("SGD weight decay", lambda: sgd(weight_decay=-1), ArgumentError, "weight_decay"),
    Wrong("SGD nesterov", lambda: sgd(nesterov=True), ArgumentError, "nesterov", "momentum"),
    Wrong("SGD an unknown option", lambda: sgd(momentun=0.9), CallError, "'momentum'"),
    Wrong("Adam one beta", lambda: optim.Adam([p()], betas=0.9), ArgumentError, "0.9"),
    Wrong("Adam a beta of 1", lambda: optim.Adam([p()], betas=(0.9, 1.0)), ArgumentError, "< 1"),
    Wrong("Adam eps", lambda: optim.Adam([p()], eps=-1.0), ArgumentError, "eps"),
    Wrong("Adam capturable", lambda: optim.Adam([p()], capturable=True), CallError, "'capturable'"),
    Wrong("AdamW decay", lambda: optim.AdamW([p()], weight_decay=-1.0), ArgumentError, "-1.0"),
    Wrong("RMSprop alpha", lambda: optim.RMSprop([p()], alpha=1.5), ArgumentError, "alpha", "1.5"),
    Wrong("Adagrad decay", lambda: optim.Adagrad([p()], lr_decay=-1.0), ArgumentError, "lr_decay"),
]

STEPS = [
    Wrong("SGD a gradient's shape", stepped(p(), etude.ones(3)), ShapeError, "(2,)", "(3,)"),
    Wrong("SGD a gradient's dtype", stepped(p(), etude.ones(2).double()), DTypeError, "float64"),
    Wrong(
        "SGD a gradient's backend",
        stepped(p(), etude.ones(2, backend="python")),
        BackendMismatch,
        "'python'",
    ),
    Wrong("SGD a model moved", moved, BackendMismatch, "load_state_dict", "float32"),
    Wrong("clip_grad_norm_ bound", lambda: optim.clip_grad_norm_([p()], -1.0), ArgumentError),
    Wrong("clip_grad_norm_ a number", lambda: optim.clip_grad_norm_(3, 1.0), CallError, "3"),
    Wrong("clip_grad_norm_ nan", clip_infinity, GradError, "nan"),
    Wrong("clip_grad_value_ bound", lambda: optim.clip_grad_value_([p()], "a"), ArgumentError),
]

STATES = [
    Wrong("load_state_dict of a number", load(3), StateMismatch, "the number 3"),
    Wrong("load_state_dict of half", load({"state": {}}), StateMismatch, "state_dict()"),
    Wrong(
        "load_state_dict more parameters", load(group(params=[0, 1])), StateMismatch, "[2]", "[1]"
    ),
    Wrong(
        "load_state_dict another optimizer",
        load(optim.Adam([p()]).state_dict()),
        StateMismatch,
        "'momentum'",
    ),
    Wrong(
        "load_state_dict a parameter's number",
        load({**group(), "state": {7: {}}}),
        StateMismatch,
        "7",
    ),
    Wrong(
        "load_state_dict a buffer's shape",
        load({**group(), "state": {0: {"momentum_buffer": etude.ones(5)}}}),
        StateMismatch,
        "(5,)",
    ),
    Wrong("SGD a saved lr", load(group(lr=-1.0)), ArgumentError, "lr"),
]

SCHEDULES = [
    Wrong("StepLR no optimizer", lambda: optim.StepLR(nn.ReLU(), 3), CallError, "a ReLU"),
    Wrong("StepLR no step", lambda: optim.StepLR(sgd()), CallError, "step_size"),
    Wrong("StepLR zero", lambda: optim.StepLR(sgd(), 0), ArgumentError, "step_size", "0"),
    Wrong("StepLR gamma", lambda: optim.StepLR(sgd(), 1, "a"), ArgumentError, "gamma"),
    Wrong("MultiStepLR number", lambda: optim.MultiStepLR(sgd(), [1, 2.5]), ArgumentError, "2.5"),
    Wrong("ExponentialLR gamma", lambda: optim.ExponentialLR(sgd(), -1.0), ArgumentError, "gamma"),
    Wrong("CosineAnnealingLR T_max", lambda: optim.CosineAnnealingLR(sgd(), 0), ArgumentError),
    Wrong("LinearLR start", lambda: optim.LinearLR(sgd(), 0.0), ArgumentError, "start_factor"),
    Wrong("LambdaLR a number", lambda: optim.LambdaLR(sgd(), 0.5), ArgumentError, "0.5"),
    Wrong("LambdaLR two for one group", lambda: optim.LambdaLR(sgd(), [abs, abs]), ArgumentError),
    Wrong(
        "StepLR resumed without a start",
        lambda: optim.StepLR(sgd(), 1, last_epoch=3),
        ArgumentError,
        "'initial_lr'",
    ),
    Wrong(
        "SequentialLR milestones",
        lambda: optim.SequentialLR(o := sgd(), [optim.StepLR(o, 1)], [3]),
        ArgumentError,
        "0 milestones",
    ),
    Wrong(
        "SequentialLR order",
        lambda: optim.SequentialLR(o := sgd(), [optim.StepLR(o, 1)] * 3, [5, 3]),
        ArgumentError,
        "[5, 3]",
    ),
    Wrong(
        "SequentialLR another optimizer",
        lambda: optim.SequentialLR(sgd(), [optim.StepLR(sgd(), 1)], []),
        ArgumentError,
    ),
    Wrong(
        "ReduceLROnPlateau mode",
        lambda: optim.ReduceLROnPlateau(sgd(), "minn"),
        ArgumentError,
        "'min'",
    ),
    Wrong(
        "ReduceLROnPlateau factor",
        lambda: optim.ReduceLROnPlateau(sgd(), factor=1.0),
        ArgumentError,
        "factor",
    ),
    Wrong(
        "ReduceLROnPlateau optimizer",
        lambda: optim.ReduceLROnPlateau(3),
        CallError,
        "the number 3",
    ),
]

DECKS = [
    Wrong("SGD form", lambda: sgd(form="D1"), ArgumentError, "'D1'", "D0"),
    Wrong(
        "SGD a form and dampening",
        lambda: sgd(momentum=0.9, dampening=0.5, form="D2"),
        ArgumentError,
        "0.5",
    ),
    Wrong(
        "SGD nesterov of D2",
        lambda: sgd(momentum=0.9, nesterov=True, form="D2"),
        ArgumentError,
        "'D2'",
    ),
    Wrong("Nesterov no closure", lambda: optim.Nesterov([p()]).step(), CallError, "closure"),
    Wrong("Nesterov momentum", lambda: optim.Nesterov([p()], momentum=-1.0), ArgumentError, "-1"),
    Wrong("AllTogether noise", lambda: optim.AllTogether([p()], noise=-1.0), ArgumentError, "-1"),
    Wrong("GradientNoise nothing", lambda: optim.GradientNoise([]), ArgumentError, "none"),
    Wrong("GradientNoise kappa", lambda: optim.GradientNoise([p()], kappa=-1), ArgumentError, "-1"),
    Wrong("TimeDecayLR kappa", lambda: optim.TimeDecayLR(sgd(), -1.0), ArgumentError, "-1"),
    Wrong("RobbinsMonroLR power", lambda: optim.RobbinsMonroLR(sgd(), 0.5), ArgumentError, "0.5"),
    Wrong("RestartFromBest an optimizer", lambda: optim.RestartFromBest(sgd()), CallError),
    Wrong(
        "lr_range_test bounds",
        lambda: optim.lr_range_test(lambda: 1.0, sgd(), 1.0, 0.1),
        ArgumentError,
        "1.0 and 0.1",
    ),
    Wrong(
        "lr_range_test an optimizer of another kind",
        lambda: optim.lr_range_test(lambda: 1.0, 3),
        CallError,
        "the number 3",
    ),
    Wrong("try_rates no rate", lambda: optim.try_rates(p, sgd(), []), ArgumentError, "none"),
    Wrong("try_rates rate 0", lambda: optim.try_rates(p, sgd(), [0.0]), ArgumentError, "0.0"),
    Wrong(
        "try_rates no finite loss",
        lambda: optim.try_rates(lambda: float("nan"), sgd(), [0.5]),
        ArgumentError,
        "[0.5]",
    ),
]

WRONG = [*DECKS, *OPTIMIZERS, *STEPS, *STATES, *SCHEDULES]
