"""gradcheck and gradgradcheck: they accept right gradients and name the place of a wrong one."""

from __future__ import annotations

from typing import Any

import pytest

import etude
from etude.framework.autograd import Op, apply


class Wrong(Op):
    """x^2, with a factor in its gradient."""

    name = "wrong"

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def infer(self, *inputs: Any) -> Any:
        return inputs[0].shape, inputs[0].dtype

    def forward(self, backend: Any, *buffers: Any) -> Any:
        return backend.binary("mul", buffers[0], buffers[0])

    def vjp(self, g: Any, y: Any, *inputs: Any) -> Any:
        return (g * inputs[0] * self.factor,)


def leaf(*values: float) -> Any:
    return etude.tensor(values, dtype=etude.float64, requires_grad=True)


FAST = [False, True]


@pytest.mark.parametrize("fast", FAST)
def test_right_gradients_pass(fast: bool) -> None:
    x, y = leaf(0.5, -1.0), leaf(2.0, 3.0)
    assert etude.gradcheck(lambda a, b: (a * b, (a / b).sum()), [x, y], fast_mode=fast)
    assert etude.gradgradcheck(lambda a, b: (a * b, (a / b).sum()), [x, y], fast_mode=fast)


def test_one_tensor_may_be_given_alone() -> None:
    assert etude.gradcheck(etude.exp, leaf(0.5))
    assert etude.gradgradcheck(etude.exp, leaf(0.5))


def test_other_inputs_are_passed_through() -> None:
    index = etude.tensor([1, 0])
    assert etude.gradcheck(lambda x, i, p: x[i] ** p, [leaf(0.5, 2.0), index, 3])


def test_whole_outputs_are_left_out() -> None:
    assert etude.gradcheck(lambda x: x.max(0), [leaf(0.5, 2.0)])


def test_an_output_may_ignore_an_input() -> None:
    assert etude.gradcheck(lambda x, y: (x * 2, y.detach() * 3), [leaf(0.5), leaf(2.0).detach()])
    assert etude.gradcheck(lambda x, y: (x * 2, y * 3), [leaf(0.5), leaf(2.0)])


def test_it_records_inside_no_grad() -> None:
    with etude.no_grad():
        assert etude.gradcheck(lambda x: x * x, leaf(0.5))


def test_a_wrong_gradient_is_placed() -> None:
    x = etude.tensor([[1.0, 2.0]], dtype=etude.float64, requires_grad=True)
    with pytest.raises(etude.errors.GradError) as caught:
        etude.gradcheck(lambda y, x: apply(Wrong(3.0), x) + y, [leaf(0.0), x])
    assert str(caught.value) == (
        "[gradcheck] the gradients disagree at input 1 element [0, 0], output 0 element [0, 0]: "
        "expected 2 by differences, got 3; check the op's vjp, and that the function "
        "is smooth there"
    )


@pytest.mark.parametrize("fast", FAST)
def test_a_wrong_gradient_is_reported_without_raising(fast: bool) -> None:
    def wrong(x: Any) -> Any:
        return apply(Wrong(3.0), x)

    assert not etude.gradcheck(wrong, leaf(1.0, 2.0), raise_exception=False, fast_mode=fast)


@pytest.mark.parametrize("fast", FAST)
def test_a_wrong_second_gradient_is_found(fast: bool) -> None:
    def cut(x: Any) -> Any:
        return x * x.detach() + x * x.detach()  # the right value and slope 2x, but no curvature

    assert not etude.gradgradcheck(cut, leaf(1.0, 2.0), raise_exception=False, fast_mode=fast)


def test_tolerances_decide() -> None:
    def nearly(x: Any) -> Any:
        return apply(Wrong(2.01), x)

    assert etude.gradcheck(nearly, leaf(1.0), rtol=0.1)
    assert not etude.gradcheck(nearly, leaf(1.0), raise_exception=False)
    assert etude.gradcheck(nearly, leaf(1.0), atol=0.1)


def test_gradgradcheck_takes_gradients() -> None:
    g = etude.tensor([1.0, 0.5], dtype=etude.float64, requires_grad=True)
    assert etude.gradgradcheck(lambda x: x**3, leaf(0.5, 2.0), g)
    assert etude.gradgradcheck(lambda x: x**3, leaf(0.5, 2.0), [g])


def test_float32_is_refused() -> None:
    x = etude.ones(2, requires_grad=True)
    with pytest.raises(
        etude.errors.DTypeError, match=r"\[gradcheck\] expected float64 for input 0"
    ):
        etude.gradcheck(lambda x: x * 2, x)


def test_some_input_must_want_a_gradient() -> None:
    words = r"\[gradgradcheck\] expected an input that requires a grad"
    with pytest.raises(etude.errors.GradError, match=words):
        etude.gradgradcheck(lambda x: x * 2, etude.ones(2, dtype=etude.float64))
