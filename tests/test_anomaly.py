"""Anomaly mode and the report on a graph."""

from __future__ import annotations

import pytest

import etude
from etude.framework.explain import culprit, examine


@pytest.fixture(params=["numpy", "python"])
def backend(request):
    with etude.use_backend(request.param):
        yield request.param


def test_forward_anomaly_names_op_and_line(backend):
    x = etude.tensor([1.0, 0.0])
    with etude.detect_anomaly(), pytest.raises(etude.AnomalyError) as caught:
        x.log()  # the line to be named
    message = str(caught.value)
    assert message.startswith("[log] first anomaly, in the forward pass: 1 of 2 elements")
    assert "test_anomaly.py" in message
    assert "the line to be named" in message


def test_backward_anomaly_names_the_forward_call(backend):
    x = etude.tensor([4.0, 0.0], requires_grad=True)
    with etude.detect_anomaly():
        y = x.sqrt().sum()  # where sqrt was called
        with pytest.raises(etude.AnomalyError, match="in the backward pass of 'sqrt'") as caught:
            y.backward()
    assert "where sqrt was called" in str(caught.value)


def test_nan_that_came_in_is_not_blamed_on_the_op(backend):
    x = etude.tensor([float("nan"), 1.0])
    with etude.detect_anomaly():
        assert (x + 1.0).isnan().tolist() == [True, False]


def test_anomaly_mode_ends_with_its_context(backend):
    with pytest.raises(etude.AnomalyError), etude.detect_anomaly():
        etude.tensor([0.0]).log()
    assert etude.tensor([0.0]).log().tolist() == [float("-inf")]
    assert etude.ones(2).backend.observe is None


def test_anomaly_names_the_module(backend):
    nn = etude.nn
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Identity(), Log()))
    with etude.detect_anomaly(), pytest.raises(etude.AnomalyError, match=r"Sequential\.1\.1"):
        model(etude.zeros(1, 2))


class Log(etude.nn.Module):
    def forward(self, x):
        return (x * 0.0).log()


def test_explain_marks_the_oldest_bad_value(backend):
    x = etude.tensor([1.0, 2.0], requires_grad=True)
    huge = (x * 1e30) * 1e30
    report = (huge - huge).sum().explain()
    (marked,) = [line for line in report.splitlines() if "<-- first" in line]
    assert marked.startswith("mul")
    assert "2 values are nan or inf" in marked


def test_explain_finds_a_gradient_that_vanishes(backend):
    x = etude.tensor([-1.0, -2.0], requires_grad=True)
    findings = examine(x.relu().sum())
    first = culprit(findings)
    assert first is not None
    assert (first.op, first.suspicion) == ("relu", "all values are zero")
    assert findings[-1].suspicion == "its gradient is zero"


def test_explain_of_a_healthy_graph_keeps_it(backend):
    x = etude.tensor([1.0, 2.0], requires_grad=True)
    loss = (x * x).sum()
    assert loss.explain().endswith("nothing suspicious")
    assert x.grad is None
    loss.backward()
    assert x.grad.tolist() == [2.0, 4.0]


def test_explain_after_backward_says_what_to_do(backend):
    loss = etude.ones(2, requires_grad=True).exp().sum()
    loss.backward()
    with pytest.raises(etude.errors.GradError, match="before it, or backward"):
        loss.explain()
