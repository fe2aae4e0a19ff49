"""Training steps that are compiled give what eager ones give, to the bit."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from compiled import BACKENDS, OPTIMIZERS, SCHEDULES, plain, train
from test_graph import dropout, lenet, lstm, resnet

import etude
from etude import functional as F
from etude.framework.compile.passes import EXACT


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_training_is_equal_to_eager_to_the_bit(backend: str, optimizer: str) -> None:
    assert train(backend, optimizer, "none", True) == train(backend, optimizer, "none", False)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("optimizer", ["momentum", "adam", "adagrad"])
def test_schedules_run_beside_the_program(optimizer: str, schedule: str) -> None:
    assert train("numpy", optimizer, schedule, True) == train("numpy", optimizer, schedule, False)


@pytest.mark.parametrize("backend", BACKENDS)
def test_all_passes_agree_with_eager(backend: str) -> None:
    found = train(backend, "momentum", "none", True, None)["results"]
    expected = train(backend, "momentum", "none", False)["results"]
    for a, b in zip(found, expected):
        loss, eager = (np.frombuffer(x["loss"][0], x["loss"][1]) for x in (a, b))
        assert loss == pytest.approx(eager, rel=1e-5)


def trained(build: Any, optimizer: str, backend: str, compiled: bool, passes: Any = EXACT) -> Any:
    """Four steps of one of the nets of test_graph.py."""
    with etude.use_backend(backend):
        etude.manual_seed(5)
        model, x, y, _ = build()
        opt = OPTIMIZERS[optimizer](model.train().parameters())

        def step(x, y):
            opt.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            opt.step()
            return loss

        run = etude.compile(step, passes=passes) if compiled else step
        losses = []
        for lr in (0.1, 0.1, 0.05, 0.02):
            opt.param_groups[0]["lr"] = lr
            losses.append(run(x, y).item())
        gradients = [plain(p.grad) for p in model.parameters()]
        return losses, plain(model.state_dict()), plain(opt.state_dict()), gradients


@cache
def trained_eagerly(build: Any, optimizer: str, backend: str) -> Any:
    """What two tests compare with."""
    return trained(build, optimizer, backend, False)


@pytest.mark.no_cover  # long, and every line is reached by others
@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
@pytest.mark.parametrize("build", [lenet, resnet, lstm, dropout])
@pytest.mark.parametrize("backend", BACKENDS)
def test_nets_train_as_in_eager_code_to_the_bit(backend: str, build: Any, optimizer: str) -> None:
    if backend == "python" and build is resnet:
        build = dropout  # plain Python takes a minute for a ResNet step
    assert trained(build, optimizer, backend, True) == trained_eagerly(build, optimizer, backend)


@pytest.mark.no_cover
@pytest.mark.parametrize("build", [lenet, resnet, lstm, dropout])
@pytest.mark.parametrize("backend", BACKENDS)
def test_nets_agree_after_all_passes(backend: str, build: Any) -> None:
    if backend == "python" and build is resnet:
        build = dropout
    found = trained(build, "momentum", backend, True, None)[0]
    assert found == pytest.approx(trained_eagerly(build, "momentum", backend)[0], rel=1e-3)
