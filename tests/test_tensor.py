"""Tensors: how they are made, converted, compared and changed."""

from __future__ import annotations

import copy
import pickle
from array import array
from typing import Any

import numpy as np
import pytest

import etude
from etude.framework.errors import EtudeError

BACKENDS = ["numpy", "python"]
DTYPES = ["bool", "int32", "int64", "float32", "float64"]
WIDTH = {name: rank for rank, name in enumerate(DTYPES)}


class Ratio(float):
    """A subclass of a number."""


class Stranger:
    """Another library's tensor: NumPy knows how to take it, memoryview does not."""

    shape = (2,)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array([1.0, 2.0])


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Any:
    with etude.use_backend(request.param):
        yield request.param


# making -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "data, dtype, values",
    [
        (1, "int64", 1),
        (1.5, "float32", 1.5),
        (True, "bool", True),
        ([1, 2, 3], "int64", [1, 2, 3]),
        ([1, 2.5], "float32", [1, 2.5]),
        ([True, False], "bool", [True, False]),
        ([True, 2], "int64", [1, 2]),
        ([True, 2.5], "float32", [1, 2.5]),
        (((1, 2), [3, 4]), "int64", [[1, 2], [3, 4]]),
        ([], "float32", []),
        ([[], []], "float32", [[], []]),
        (range(3), "int64", [0, 1, 2]),
        (array("f", [1, 2]), "float32", [1, 2]),
        (array("d", [1, 2]), "float64", [1, 2]),
        (memoryview(array("q", [1, 2])), "int64", [1, 2]),
        (np.float32(2.5), "float32", 2.5),
        (np.float64(2.5), "float64", 2.5),
        (np.bool_(True), "bool", True),
        ([np.float64(1), np.float64(2)], "float64", [1, 2]),
        ([np.int32(1), np.int64(2)], "int64", [1, 2]),
        ([np.float64(1), 2.0], "float32", [1, 2]),
        ([np.array([1, 2]), np.array([3, 4])], "int64", [[1, 2], [3, 4]]),
        (np.arange(3, dtype="u1"), "int32", [0, 1, 2]),
        (np.arange(-1, 2, dtype="i1"), "int32", [-1, 0, 1]),
        (np.array([65535], "u2"), "int32", [65535]),
        (np.array([2**32 - 1], "u4"), "int64", [2**32 - 1]),
        (np.array([0.5, 2.0], "f2"), "float32", [0.5, 2]),
        (np.array([1, 2], ">i4"), "int32", [1, 2]),
        (np.array([1, 2], ">f8"), "float64", [1, 2]),
        (np.zeros((0, 3), "i4"), "int32", []),
        ([Ratio(0.5), 2], "float32", [0.5, 2]),
        (Stranger(), "float64", [1, 2]),
        (np.array(7, "i4"), "int32", 7),
    ],
)
def test_data_becomes_a_tensor(data: Any, dtype: str, values: Any, backend: str) -> None:
    t = etude.tensor(data)
    assert t.dtype == dtype
    assert t.tolist() == values
    assert t.backend.name == backend
    assert t.shape == np.shape(data)
    assert all(type(n) is int for n in t.shape)


def test_lists_of_tensors_stack(backend: str) -> None:
    t = etude.tensor([etude.tensor([1.0, 2.0]), etude.tensor([3.0, 4.0])])
    assert t.tolist() == [[1, 2], [3, 4]]
    assert etude.tensor([etude.tensor(1.0), 2]).tolist() == [1, 2]


@pytest.mark.parametrize(
    "make",
    [
        lambda x: x[::-1],
        lambda x: x.T,
        lambda x: x[:, ::2],
        lambda x: np.asfortranarray(x),
        lambda x: np.broadcast_to(x[0], (4, 6)),
        lambda x: x[1:1],
        lambda x: x[..., None],
        lambda x: x.astype(">f8")[:, 1:],
    ],
)
def test_arrays_of_any_layout(make: Any, backend: str) -> None:
    x = make(np.arange(24.0).reshape(4, 6))
    np.testing.assert_array_equal(etude.tensor(x).numpy(), x)


def test_read_only_arrays(backend: str) -> None:
    x = np.arange(3.0)
    x.setflags(write=False)
    assert etude.tensor(x).tolist() == [0, 1, 2]


def test_the_data_is_copied(backend: str) -> None:
    x = np.arange(3.0)
    t = etude.tensor(x)
    twin = etude.tensor(t)
    x[0] = 9
    with etude.no_grad():
        twin[1] = 9.0
    assert t.tolist() == [0, 1, 2]


@pytest.mark.parametrize("dtype", DTYPES)
def test_creation_functions(dtype: str, backend: str) -> None:
    assert etude.zeros(2, 3, dtype=dtype).tolist() == [[0] * 3] * 2
    assert etude.ones((2,), dtype=dtype).tolist() == [1, 1]
    assert etude.empty(2, dtype=dtype).tolist() == [0, 0]
    assert etude.full((2,), 1, dtype=dtype).tolist() == [1, 1]
    assert etude.eye(2, 3, dtype=dtype).tolist() == [[1, 0, 0], [0, 1, 0]]
    like = etude.zeros(2, dtype=dtype)
    for t in (etude.zeros_like(like), etude.ones_like(like), etude.full_like(like, 1)):
        assert (t.dtype, t.shape, t.backend) == (like.dtype, like.shape, like.backend)
    for t in (etude.zeros(0), etude.ones(2, 0), etude.full((0, 2), 3.0)):
        assert t.numel() == 0


@pytest.mark.parametrize(
    "arguments",
    [
        (5,),
        (0,),
        (-2,),
        (1, 4),
        (4, 1),
        (0, 10, 3),
        (10, 0, -3),
        (0, 1, 0.25),
        (2.0,),
        (1, 0, -0.3),
        (-3, 3, 2),
        (5, 5),
        (0, 7, 7),
        (0.5, 3),
    ],
)
def test_arange_is_numpys(arguments: Any, backend: str) -> None:
    expected = np.arange(*arguments)
    t = etude.arange(*arguments)
    assert t.dtype == ("int64" if expected.dtype.kind == "i" else "float32")
    np.testing.assert_allclose(t.numpy(), expected, rtol=1e-6)
    assert etude.arange(*arguments, dtype="float64").dtype is etude.float64


@pytest.mark.parametrize("arguments", [(0, 1, 5), (1, -1, 3), (2, 2, 4), (0, 1, 1), (3, 4, 0)])
def test_linspace_is_numpys(arguments: Any, backend: str) -> None:
    t = etude.linspace(*arguments, dtype="float64")
    np.testing.assert_allclose(t.numpy(), np.linspace(*arguments), rtol=1e-15)


def test_a_fill_value_may_be_a_0d_tensor_or_a_numpy_number(backend: str) -> None:
    assert etude.full((2,), etude.tensor(1.5)).tolist() == [1.5, 1.5]
    assert etude.full((1,), np.float64(1.5)).dtype is etude.float32
    assert etude.full((1,), np.int64(2)).dtype is etude.int64
    assert etude.full(3, True).dtype is etude.bool


# dtypes -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("a", DTYPES)
@pytest.mark.parametrize("b", DTYPES)
def test_promotion_takes_the_larger(a: str, b: str, backend: str) -> None:
    x, y = etude.ones(2, dtype=a), etude.ones(2, dtype=b)
    larger = max(a, b, key=WIDTH.__getitem__)
    assert (x + y).dtype == (x * y).dtype == etude.cat([x, y]).dtype == larger
    assert etude.where(etude.tensor([True, False]), x, y).dtype == larger
    assert (x / y).dtype == (larger if larger.startswith("float") else "float32")
    assert (x == y).dtype == (x < y).dtype == "bool"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "number, least",
    [
        (True, "bool"),
        (2, "int64"),
        (2.5, "float32"),
        (np.int32(2), "int64"),
        (np.float64(2.5), "float32"),
        (np.bool_(True), "bool"),
    ],
)
def test_plain_numbers_are_weak(dtype: str, number: Any, least: str, backend: str) -> None:
    """A number changes the dtype only to a higher kind: bool, whole, float."""
    kinds = {"bool": 0, "int32": 1, "int64": 1, "float32": 2, "float64": 2}
    expected = dtype if kinds[dtype] >= kinds[least] else least
    x = etude.ones(2, dtype=dtype)
    assert (x + number).dtype == (number + x).dtype == expected
    assert (x * number).tolist() == [number, number]


@pytest.mark.parametrize("a", DTYPES)
@pytest.mark.parametrize("b", DTYPES)
def test_conversion_is_numpys(a: str, b: str, backend: str) -> None:
    x = np.array([0, 1, 2, 3]).astype(a)
    t = etude.tensor(x).to(b)
    assert t.dtype == b
    np.testing.assert_array_equal(t.numpy(), x.astype(b))


def test_conversion_methods(backend: str) -> None:
    x = etude.tensor([0.0, 1.7, -1.7])
    assert x.int().tolist() == x.long().tolist() == [0, 1, -1]
    assert x.bool().tolist() == [False, True, True]
    assert (x.float().dtype, x.double().dtype) == (etude.float32, etude.float64)
    assert x.to(float).dtype is etude.float32
    assert x.to(np.dtype("int32")).dtype is etude.int32
    assert x.to(np.float64).dtype is etude.float64
    assert x.to(x.double()).dtype is etude.float64
    assert x.type_as(etude.tensor([1])).dtype is etude.int64
    assert x.to("float32") is x


def test_a_dtype_prints_compares_and_pickles() -> None:
    assert repr(etude.float32) == "etude.float32"
    assert etude.float32 == "float32"
    assert pickle.loads(pickle.dumps(etude.int64)) is etude.int64
    assert copy.deepcopy(etude.bool) is etude.bool


# to Python ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1)])
def test_item_of_one_element(shape: Any, backend: str) -> None:
    assert etude.full(shape, 2.5).item() == 2.5
    assert type(etude.full(shape, 2).item()) is int
    assert etude.full(shape, True).item() is True
    assert float(etude.full(shape, 2.5)) == 2.5
    assert int(etude.full(shape, 2.9)) == 2
    assert bool(etude.full(shape, 0.0)) is False


def test_a_whole_number_tensor_is_an_index(backend: str) -> None:
    assert ["a", "b", "c"][etude.tensor(2)] == "c"
    assert list(range(etude.tensor([3]))) == [0, 1, 2]


def test_iteration_length_and_membership(backend: str) -> None:
    x = etude.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert len(x) == 2
    assert [row.tolist() for row in x] == [[1, 2], [3, 4]]
    _, b = x
    assert b.tolist() == [3, 4]
    assert 3.0 in x
    assert 7.0 not in x
    assert list(etude.zeros(0, 2)) == []


def test_equality_with_other_things(backend: str) -> None:
    x = etude.ones(2)
    assert (x == None) is False  # noqa: E711
    assert (x != None) is True  # noqa: E711
    assert (x == "a") is False
    assert (x == 1).tolist() == (1 == x).tolist() == [True, True]  # noqa: SIM300


def test_logic_of_bools(backend: str) -> None:
    a, b = etude.tensor([True, True, False]), etude.tensor([True, False, False])
    assert (a & b).tolist() == [True, False, False]
    assert (a | b).tolist() == [True, True, False]
    assert (a ^ b).tolist() == [False, True, False]
    assert (~a).tolist() == [False, False, True]
    assert (a & True).tolist() == a.tolist()


def test_tensors_are_hashed_by_identity(backend: str) -> None:
    x, y = etude.ones(2), etude.ones(2)
    assert len({x, y, x}) == 2
    assert {x: 1}[x] == 1


def test_facts(backend: str) -> None:
    x = etude.zeros(2, 3, 4)
    assert (x.ndim, x.dim(), x.numel(), x.size(), x.size(-1)) == (3, 3, 24, (2, 3, 4), 4)
    assert x.T.shape == (4, 3, 2)
    assert x.mT.shape == (2, 4, 3)
    assert x.is_leaf
    assert not (x.requires_grad_() * 2).is_leaf


# copies -------------------------------------------------------------------------------------------
def test_deepcopy_keeps_what_a_leaf_is(backend: str) -> None:
    x = etude.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    twin = copy.deepcopy({"a": x, "b": x})
    assert twin["a"] is twin["b"]
    assert twin["a"].requires_grad
    assert twin["a"].grad.tolist() == [2, 4]
    assert twin["a"].grad is not x.grad
    with etude.no_grad():
        x.add_(1.0)
    assert twin["a"].tolist() == [1, 2]
    parameter = etude.nn.Parameter(etude.ones(2))
    assert type(copy.deepcopy(parameter)) is etude.nn.Parameter


@pytest.mark.parametrize("dtype", DTYPES)
def test_pickle_keeps_values_dtype_and_backend(dtype: str, backend: str) -> None:
    x = etude.ones(2, 3, dtype=dtype, requires_grad=dtype.startswith("float"))
    y = pickle.loads(pickle.dumps(x))
    assert (y.tolist(), y.dtype, y.backend) == (x.tolist(), x.dtype, x.backend)
    assert y.requires_grad == x.requires_grad


def test_clone_and_detach(backend: str) -> None:
    x = etude.tensor([1.0, 2.0], requires_grad=True)
    y = x.clone()
    assert y.requires_grad
    assert not x.detach().requires_grad
    with etude.no_grad():
        x[0] = 7.0
    assert y.tolist() == [1, 2]


def test_moving_between_backends_keeps_values_and_gradients() -> None:
    x = etude.tensor([1.0, 2.0], requires_grad=True, backend="numpy")
    y = x.to("python")
    assert (y.backend.name, y.tolist(), y.dtype) == ("python", [1, 2], etude.float32)
    (y * y).sum().backward()
    assert (x.grad.backend.name, x.grad.tolist()) == ("numpy", [2, 4])
    assert x.to("numpy") is x
    assert x.to(y).backend is y.backend
    assert x.to("python", dtype="float64").dtype is etude.float64


# in place -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "change, expected",
    [
        (lambda x: x.add_(1), [2, 3]),
        (lambda x: x.add_(etude.tensor([1.0, 2.0]), alpha=2), [3, 6]),
        (lambda x: x.sub_(1), [0, 1]),
        (lambda x: x.mul_(3), [3, 6]),
        (lambda x: x.div_(2), [0.5, 1]),
        (lambda x: x.clamp_(max=1.5), [1, 1.5]),
        (lambda x: x.fill_(7), [7, 7]),
        (lambda x: x.zero_(), [0, 0]),
        (lambda x: x.copy_(5.0), [5, 5]),
        (lambda x: x.copy_(np.array([3, 4])), [3, 4]),
        (lambda x: x.copy_([[8.0, 9.0]][0]), [8, 9]),
    ],
)
def test_methods_with_an_underscore_change_the_tensor(
    change: Any, expected: Any, backend: str
) -> None:
    x = etude.tensor([1.0, 2.0])
    before = x.detach()
    assert change(x) is x
    assert x.tolist() == expected
    assert x.dtype is etude.float32
    assert before.tolist() == [1, 2]


def test_random_filling(backend: str) -> None:
    x = etude.zeros(1000)
    assert 2 <= x.uniform_(2, 3).amin().item() <= x.amax().item() < 3
    assert abs(x.normal_(5, 0.1).mean().item() - 5) < 0.05
    assert etude.zeros(0).normal_().tolist() == []


def test_a_failed_change_leaves_the_tensor_alone(backend: str) -> None:
    x = etude.tensor([1.0, 2.0])
    for change in (lambda: x.add_("a"), lambda: x.copy_(etude.ones(3)), lambda: x.div_(None)):
        with pytest.raises(EtudeError):
            change()
    assert (x.tolist(), x.version) == ([1, 2], 0)


# backends -----------------------------------------------------------------------------------------
def test_the_default_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    assert etude.default_backend() == "numpy"
    monkeypatch.setenv("ETUDE_BACKEND", "python")
    assert etude.ones(1).backend.name == "python"
    with etude.use_backend("numpy"):
        assert etude.default_backend() == "numpy"
        with etude.use_backend(etude.ones(1, backend="python").backend):
            assert etude.default_backend() == "python"
    assert etude.default_backend() == "python"
