"""The graph: what backward and grad give, when they refuse, and that nothing is left behind."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
import pytest

import etude
from etude import functional as F
from etude.framework.autograd import Op, apply
from etude.framework.errors import GradError, ShapeError

BACKENDS = ["numpy", "python"]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Any:
    with etude.use_backend(request.param):
        yield request.param


def leaf(values: Any, dtype: str = "float64") -> Any:
    return etude.tensor(values, dtype=dtype, requires_grad=True)


# first derivatives --------------------------------------------------------------------------------
def test_gradients_accumulate_until_they_are_cleared(backend: str) -> None:
    x = leaf([1.0, 2.0])
    for times in (1, 2, 3):
        (x * x).sum().backward()
        assert x.grad.tolist() == [2 * times, 4 * times]
    x.grad = None
    (x * 3.0).sum().backward()
    assert x.grad.tolist() == [3, 3]


def test_a_gradient_has_no_graph_and_is_not_shared(backend: str) -> None:
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    (x + y).sum().backward()
    assert not x.grad.requires_grad
    assert x.grad.is_leaf
    with etude.no_grad():
        x.grad.mul_(5.0)
    assert y.grad.tolist() == [1, 1]


def test_shared_parts_are_visited_once(backend: str) -> None:
    """A ladder of 60 diamonds has 2^60 paths."""
    x = leaf(1.0)
    y = x
    for _ in range(60):
        y = y * 0.5 + y * 0.5
    y.backward()
    assert x.grad.item() == 1


def test_an_input_used_many_times_gets_the_sum(backend: str) -> None:
    x = leaf(3.0)
    (x * x + x * 2.0 + etude.stack([x, x, x]).sum() + x).backward()
    assert x.grad.item() == 2 * 3 + 2 + 3 + 1


def test_backward_of_many_elements_takes_their_weights(backend: str) -> None:
    x = leaf([1.0, 2.0, 3.0])
    (x**3).backward(etude.tensor([1.0, 10.0, 100.0], dtype="float64"))
    assert x.grad.tolist() == [3, 120, 2700]


def test_backward_of_one_element_needs_none(backend: str) -> None:
    x = leaf([[2.0]])
    (x * x).backward()
    assert x.grad.tolist() == [[4]]


def test_backward_of_a_leaf(backend: str) -> None:
    x = leaf(2.0)
    x.backward()
    assert x.grad.item() == 1


def test_retain_graph_allows_a_second_pass(backend: str) -> None:
    x = leaf(3.0)
    y = x**2
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 12
    with pytest.raises(GradError, match="used and freed"):
        y.backward()


def test_a_failed_backward_leaves_earlier_gradients_alone(backend: str) -> None:
    x = leaf(3.0)
    (x * x).backward()
    y = x * 2.0
    y.backward()
    with pytest.raises(GradError):
        y.backward()
    assert x.grad.item() == 8


def test_broadcast_inputs_get_sums(backend: str) -> None:
    x, row, one = leaf(np.ones((2, 3))), leaf([1.0, 2.0, 3.0]), leaf(2.0)
    (x * row * one).sum().backward()
    assert x.grad.tolist() == [[2, 4, 6]] * 2
    assert row.grad.tolist() == [4, 4, 4]
    assert one.grad.item() == 12


def test_gradients_have_the_dtype_and_shape_of_their_tensor(backend: str) -> None:
    a, b = leaf([[1.0], [2.0]], "float32"), leaf([1.0, 2.0], "float64")
    (a * b + 1).sum().backward()
    assert (a.grad.dtype, a.grad.shape) == ("float32", (2, 1))
    assert (b.grad.dtype, b.grad.shape) == ("float64", (2,))


def test_outputs_of_one_op_may_be_used_alone_or_together(backend: str) -> None:
    x = leaf([[3.0, 1.0, 2.0]])
    values, indices = x.max(1)
    assert not indices.requires_grad
    values.sum().backward()
    assert x.grad.tolist() == [[1, 0, 0]]
    y, w, b = leaf(np.arange(6.0).reshape(3, 2)), leaf([1.0, 2.0]), leaf([0.0, 1.0])
    F.batch_norm(y, None, None, w, b, training=True).square().sum().backward()
    assert all(t.grad is not None for t in (y, w, b))
    first, second = leaf([1.0, 2.0, 3.0, 4.0]).split(2)
    assert etude.grad((first * second).sum(), first)[0].tolist() == [3, 4]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.argmax(),
        lambda x: x > 0,
        lambda x: x.long(),
        lambda x: x.argsort(),
        lambda x: x.sign().bool(),
        lambda x: x.isnan(),
        lambda x: x.nonzero(),
    ],
)
def test_whole_and_bool_results_have_no_gradient(function: Any, backend: str) -> None:
    y = function(leaf([1.0, -2.0]))
    assert not y.requires_grad
    assert y.node is None


def test_whole_numbers_between_floats_stop_the_gradient(backend: str) -> None:
    x = leaf([1.5, 2.5])
    (x * x.long().double()).sum().backward()
    assert x.grad.tolist() == [1, 2]


# grad ---------------------------------------------------------------------------------------------
def test_grad_leaves_every_grad_alone(backend: str) -> None:
    x, y = leaf(2.0), leaf(3.0)
    gx, gy = etude.grad(x * y * y, [x, y])
    assert (gx.item(), gy.item(), x.grad, y.grad) == (9, 12, None, None)


def test_grad_for_computed_tensors(backend: str) -> None:
    x = leaf(2.0)
    middle = x * x
    y = middle * middle + x
    gm, gx = etude.grad(y, [middle, x])
    assert (gm.item(), gx.item()) == (8, 33)
    assert etude.grad(middle * 1.0, middle)[0].item() == 1
    assert etude.grad(x * 3.0, [x, x]) == pytest.approx([3.0, 3.0])


def test_grad_of_several_outputs_adds_up(backend: str) -> None:
    x = leaf([1.0, 2.0])
    weights = [None, etude.tensor([1.0, 10.0], dtype="float64")]
    (g,) = etude.grad([x.sum(), x * x], x, weights)
    assert g.tolist() == [1 + 2, 1 + 40]


def test_grad_of_an_output_that_is_an_input(backend: str) -> None:
    x = leaf(2.0)
    y = x * x
    assert [g.item() for g in etude.grad(y, [y, x])] == [1, 4]
    assert etude.grad(x, x)[0].item() == 1


def test_allow_unused(backend: str) -> None:
    x, y = leaf(2.0), leaf(3.0)
    assert etude.grad(x * x, [x, y], allow_unused=True)[1] is None
    with pytest.raises(GradError, match="allow_unused"):
        etude.grad(x * x, [x, y])


def test_grad_does_not_visit_what_it_does_not_need(backend: str) -> None:
    """Parts of the graph that are older than every input keep their graph."""
    x = leaf(2.0)
    old = x**3
    new = old * 2.0
    etude.grad(new * new, new)
    etude.grad(new * old, new)
    old.backward()
    assert x.grad.item() == 12


# higher derivatives -------------------------------------------------------------------------------
CURVES: dict[str, tuple[Any, list[Any]]] = {
    "x**4": (lambda x: x**4, [lambda x: 4 * x**3, lambda x: 12 * x**2, lambda x: 24 * x]),
    "sin": (etude.sin, [math.cos, lambda x: -math.sin(x), lambda x: -math.cos(x)]),
    "exp": (etude.exp, [math.exp] * 3),
    "1/x": (lambda x: 1 / x, [lambda x: -(x**-2), lambda x: 2 * x**-3, lambda x: -6 * x**-4]),
    "log": (etude.log, [lambda x: 1 / x, lambda x: -1 / x**2, lambda x: 2 / x**3]),
    "sqrt": (etude.sqrt, [lambda x: 0.5 * x**-0.5, lambda x: -0.25 * x**-1.5,
                          lambda x: 0.375 * x**-2.5]),
    "tanh": (etude.tanh, [
        lambda x: 1 - math.tanh(x) ** 2,
        lambda x: -2 * math.tanh(x) * (1 - math.tanh(x) ** 2),
        lambda x: (6 * math.tanh(x) ** 2 - 2) * (1 - math.tanh(x) ** 2)]),
}  # fmt: skip


@pytest.mark.parametrize("name", CURVES)
def test_first_second_and_third_derivative(name: str, backend: str) -> None:
    function, derivatives = CURVES[name]
    x = leaf(0.7)
    y = function(x)
    for expected in derivatives:
        (y,) = etude.grad(y, x, create_graph=True)
        assert y.item() == pytest.approx(expected(0.7), rel=1e-12)


RNG = np.random.default_rng(0)
IMAGES, KERNELS = RNG.normal(size=(2, 2, 4, 4)), RNG.normal(size=(3, 2, 3, 3))
SCORES, LABELS = RNG.normal(size=(3, 3)), etude.tensor([0, 2, 1])
DEEP: dict[str, tuple[Any, list[Any]]] = {
    "matmul": (lambda a, b: (a @ b).pow(3).sum(), [SCORES, SCORES.T[:, :2]]),
    "conv2d": (lambda x, w: F.conv2d(x, w, padding=1).pow(3).sum(), [IMAGES, KERNELS]),
    "conv_transpose2d": (lambda x, w: F.conv_transpose2d(x, w).pow(3).sum(),
                         [IMAGES, KERNELS.transpose(1, 0, 2, 3)]),
    "softmax": (lambda x: (F.softmax(x, 1) ** 2 * x).sum(), [SCORES]),
    "log_softmax": (lambda x: (F.log_softmax(x, 1) ** 2).sum(), [SCORES]),
    "cross_entropy": (lambda x: F.cross_entropy(x, LABELS.to(x.backend)), [SCORES]),
    "batch_norm": (lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True).pow(3).sum(),
                   [IMAGES, RNG.normal(size=2), RNG.normal(size=2)]),
    "max_pool2d": (lambda x: F.max_pool2d(x, 2).pow(3).sum(), [IMAGES]),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 3, 1, 1).pow(3).sum(), [IMAGES]),
    "indexing": (lambda x: (x[[0, 0, 1]] ** 3).sum() * x[1, 0], [RNG.normal(size=(2, 3))]),
    "cumprod": (lambda x: x.cumprod(0).pow(2).sum(), [RNG.normal(size=4)]),
}  # fmt: skip


@pytest.mark.parametrize("name", DEEP)
def test_gradients_of_gradients_of_gradients_agree_with_differences(
    name: str, backend: str
) -> None:
    function, arrays = DEEP[name]
    inputs = [leaf(a) for a in arrays]

    def curvature(*xs: Any) -> Any:
        gradients = etude.grad(function(*xs), xs, create_graph=True)
        return sum((g * g).sum() for g in gradients)

    assert etude.gradgradcheck(function, inputs, fast_mode=True)
    assert etude.gradgradcheck(curvature, inputs, fast_mode=True)


def test_a_gradient_may_be_part_of_the_loss(backend: str) -> None:
    """The penalty of a contractive autoencoder: d/dw of (d tanh(w x) / dx)^2."""
    w, x = leaf(0.5), leaf(1.2)
    (slope,) = etude.grad((w * x).tanh(), x, create_graph=True)
    (slope * slope).backward()
    t = math.tanh(0.6)
    slope_value = 0.5 * (1 - t * t)
    assert w.grad.item() == pytest.approx(
        2 * slope_value * ((1 - t * t) - 2 * 0.5 * t * (1 - t * t) * 1.2), rel=1e-12
    )


def test_backward_with_create_graph_leaves_gradients_with_a_graph(backend: str) -> None:
    x = leaf(2.0)
    (x**3).backward(create_graph=True)
    assert x.grad.requires_grad
    gradient, x.grad = x.grad, None
    gradient.backward()
    assert x.grad.item() == 12


# modes --------------------------------------------------------------------------------------------
def test_no_grad_as_context_decorator_and_nested(backend: str) -> None:
    x = leaf(2.0)

    @etude.no_grad()
    def plain(x: Any) -> Any:
        with etude.enable_grad():
            inside = x * 1.0
        return x * 2.0, inside

    result, inside = plain(x)
    assert (result.requires_grad, inside.requires_grad, etude.is_grad_enabled()) == (0, 1, 1)
    with etude.no_grad(), etude.set_grad_enabled(True):
        assert etude.is_grad_enabled()
    with pytest.raises(ZeroDivisionError), etude.no_grad():
        _ = 1 / 0
    assert etude.is_grad_enabled()


def test_one_no_grad_object_works_again_and_inside_itself() -> None:
    mode = etude.no_grad()
    with mode, mode:
        assert not etude.is_grad_enabled()
    assert etude.is_grad_enabled()


def test_threads_have_modes_of_their_own(backend: str) -> None:
    seen: list[bool] = []

    def look() -> None:
        seen.append(etude.is_grad_enabled())

    with etude.no_grad():
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert seen == [True]


def test_threads_call_one_decorated_function_at_once() -> None:
    inside = threading.Barrier(4, timeout=20)
    seen: list[bool] = []

    @etude.no_grad()
    def plain() -> None:
        inside.wait()
        seen.append(etude.is_grad_enabled())

    def work() -> None:
        plain()
        seen.append(not etude.is_grad_enabled())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [False] * 8


def test_threads_differentiate_at_once() -> None:
    """Each thread has leaves of its own and one that all share."""
    shared = leaf(2.0)
    results: list[float] = []

    def work(k: int) -> None:
        x = leaf(float(k))
        for _ in range(50):
            (g,) = etude.grad(x * x * shared, x)
        results.append(g.item())

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [4.0 * k for k in range(8)]


def test_detach_cuts_the_graph(backend: str) -> None:
    x = leaf(3.0)
    (x * x.detach()).backward()
    assert x.grad.item() == 3


# changes in place ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * x,
        lambda x: x.exp() * x,
        lambda x: x.sum() * 2.0,
        lambda x: x @ x,
        lambda x: x[0] * 2.0,
        lambda x: x.softmax(0)[0],
    ],
)
def test_a_leaf_changed_after_its_use_is_noticed(function: Any, backend: str) -> None:
    x = leaf([1.0, 2.0])
    y = function(x).sum()
    with etude.no_grad():
        x.mul_(2.0)
    with pytest.raises(GradError, match="changed in place"):
        y.backward()


class Careless(Op):
    """An op whose gradient rule forgets that it summed."""

    name = "careless"

    def infer(self, *inputs: Any) -> Any:
        return (), inputs[0].dtype

    def forward(self, backend: Any, *buffers: Any) -> Any:
        return backend.reduce("sum", buffers[0], (0,))

    def vjp(self, g: Any, y: Any, *inputs: Any) -> Any:
        return (g,)


def test_a_gradient_rule_that_gives_another_shape_is_named(backend: str) -> None:
    with pytest.raises(ShapeError, match=r"\[careless\] expected a gradient \(2,\) .* got \(\)"):
        apply(Careless(), leaf([1.0, 2.0])).backward()


def test_an_op_without_a_gradient_rule_says_so(backend: str) -> None:
    class Blind(Careless):
        name = "blind"
        vjp = Op.vjp

    with pytest.raises(GradError, match=r"\[blind\] expected an op with a gradient"):
        apply(Blind(), leaf([1.0, 2.0])).backward()


def test_a_change_before_the_use_is_fine(backend: str) -> None:
    x = leaf([1.0, 2.0])
    with etude.no_grad():
        x.mul_(2.0)
    (x * x).sum().backward()
    assert x.grad.tolist() == [4, 8]


def test_a_constant_changed_after_its_use_is_noticed(backend: str) -> None:
    x, c = leaf([1.0, 2.0]), etude.ones(2, dtype="float64")
    y = (x * c).sum()
    c.add_(1.0)
    with pytest.raises(GradError, match="changed in place"):
        y.backward()
