"""What may be compiled, and which calls are recorded: it gives what the function itself gives."""

from __future__ import annotations

import gc
from functools import partial
from threading import Thread
from typing import Any

import pytest
from compiled import BACKENDS, net, plain

import etude
from etude import functional as F
from etude.framework.compile.passes import EXACT, PASSES

GAIN = 2.0


def test_random_numbers_go_on_as_in_eager_code() -> None:
    f = etude.compile(lambda: etude.rand(2))
    etude.manual_seed(1)
    found = [f().tolist() for _ in range(3)] + [etude.rand(2).tolist()]
    etude.manual_seed(1)
    assert found == [etude.rand(2).tolist() for _ in range(4)]
    assert len({tuple(v) for v in found}) == 4


def test_an_argument_of_another_shape_dtype_or_value_records_again() -> None:
    f = etude.compile(lambda x, power=2: x**power)
    for x, power in ((etude.ones(2), 2), (etude.ones(3), 2), (etude.ones(2).double(), 2)):
        assert f(x, power).tolist() == (x**power).tolist()
    assert f(etude.full((2,), 3.0), 3).tolist() == [27.0, 27.0]
    assert f(etude.full((2,), 3.0), power=2).tolist() == [9.0, 9.0]
    assert f.cache_info()[:3] == (0, 5, 5)
    assert f(etude.full((2,), 5.0), 3).tolist() == [125.0, 125.0]
    assert f.cache_info()[:3] == (1, 5, 5)


def test_the_cache_is_bounded() -> None:
    f = etude.compile(lambda x: x + 1.0)
    for n in range(1, 30):
        f(etude.ones(n))
    assert f.cache_info().size == f.cache_info().capacity
    f.cache_clear()
    assert f.cache_info().size == 0


def test_numbers_and_text_of_closures_and_globals_are_looked_at_in_each_call() -> None:
    global GAIN
    scale, how = 3.0, "mul"
    settings = {"bias": 1.0}

    def f(x):
        y = x * scale * GAIN if how == "mul" else x - scale
        return y + settings["bias"]

    g = etude.compile(f)
    x = etude.ones(1)
    assert g(x).item() == 7.0
    scale = 5.0
    assert g(x).item() == 11.0
    GAIN = 1.0
    assert g(x).item() == 6.0
    how = "sub"
    assert g(x).item() == -3.0
    settings["bias"] = 0.0
    assert g(x).item() == -4.0
    GAIN = 2.0


def test_a_function_inside_another_is_part_of_it() -> None:
    inner = etude.compile(lambda x: x * 2.0)
    outer = etude.compile(lambda x: inner(x) + inner(x))
    assert outer(etude.ones(1)).item() == 4.0
    assert outer(etude.ones(1)).item() == 4.0
    assert inner.cache_info().misses == 0


def test_forms_of_functions() -> None:
    class Scorer:
        def __init__(self, gain):
            self.gain = gain

        def plain(self, x):
            return x * self.gain

        @etude.compile
        def score(self, x):
            return x * self.gain

        def __call__(self, x):
            return x - self.gain

    one, two = Scorer(2.0), Scorer(3.0)
    x = etude.ones(1)
    assert [s.score(x).item() for s in (one, two, one)] == [2.0, 3.0, 2.0]
    one.gain = 4.0
    assert [s.score(x).item() for s in (one, two, one)] == [4.0, 3.0, 4.0]
    bound = etude.compile(one.plain)
    assert bound(x).item() == 4.0
    one.gain = 5.0
    assert bound(x).item() == 5.0
    assert etude.compile(two)(x).item() == -2.0
    assert etude.compile(partial(lambda a, b: a - b, b=x))(x).item() == 0.0

    @etude.compile(state=[two])
    def nested(pair, *, extra):
        """Doc."""
        return {"sum": pair[0] + pair[1]["z"], "rest": (extra, [pair[0]]), "none": None}

    out = nested((x, {"z": x}), extra=7)
    out = nested((x, {"z": x}), extra=7)
    assert (out["sum"].item(), out["rest"][0], out["none"]) == (2.0, 7, None)
    assert out["rest"][1][0] is x
    assert (nested.__name__, nested.__doc__) == ("nested", "Doc.")


def test_a_model_may_be_an_argument() -> None:
    f = etude.compile(lambda model, x: model(x))
    x = etude.rand(3, 4)
    for model in (net("numpy").eval(), net("numpy").train(), net("numpy").eval()):
        etude.manual_seed(2)
        found = f(model, x)
        etude.manual_seed(2)
        model.load_state_dict(net("numpy").state_dict()) if model.training else None
        etude.manual_seed(2)
        assert plain(found) == plain(model(x))


def test_modes_are_part_of_the_signature() -> None:
    model = net("numpy")
    f = etude.compile(lambda x: model(x))
    x = etude.rand(4, 4)
    for train, grad in ((True, True), (False, True), (False, False), (True, True)):
        model.train(train)
        with etude.set_grad_enabled(grad):
            etude.manual_seed(4)
            y = f(x)
            assert y.requires_grad is grad
    assert f.cache_info()[:3] == (1, 3, 3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_index_outside_is_the_error_that_eager_code_raises(backend: str) -> None:
    with etude.use_backend(backend):
        table = etude.rand(4, 3)
        f = etude.compile(lambda i: F.embedding(i, table) * 2.0)
        assert f(etude.tensor([0, 3])).shape == (2, 3)
        for _ in range(2):
            with pytest.raises(IndexError) as eager:
                F.embedding(etude.tensor([0, 9]), table)
            with pytest.raises(IndexError) as found:
                f(etude.tensor([0, 9]))
            assert str(found.value) == str(eager.value)
        assert f(etude.tensor([1, 1])).shape == (2, 3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_threads_call_one_function_at_once(backend: str) -> None:
    with etude.use_backend(backend):
        model = net(backend).eval().requires_grad_(False)
        f = etude.compile(lambda x: model(x), passes=EXACT)
        xs = [etude.rand(3, 4) for _ in range(8)]
        expected = [model(x).tolist() for x in xs]
        found: list[Any] = [None] * 8

        def work(i):
            with etude.use_backend(backend):
                for _ in range(5):
                    found[i] = f(xs[i]).tolist()

        threads = [Thread(target=work, args=(i,)) for i in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert found == expected


def test_recursion_with_a_plain_depth() -> None:
    @etude.compile
    def power(x, n):
        return x if n == 0 else power(x, n - 1) * x

    x = etude.full((1,), 2.0)
    assert [power(x, n).item() for n in (3, 3, 4)] == [16.0, 16.0, 32.0]


def test_double_backward_and_grad() -> None:
    @etude.compile
    def f(x):
        (g,) = etude.grad((x**3).sum(), [x], create_graph=True)
        (h,) = etude.grad(g.sum(), [x])
        return g.detach(), h

    for v in (2.0, 3.0):
        g, h = f(etude.tensor([v], requires_grad=True))
        assert (g.item(), h.item()) == (3 * v * v, 6 * v)


def test_old_recordings_keep_nothing_alive_but_what_they_read() -> None:
    f = etude.compile(lambda x: (x * 2.0).sum())
    x = etude.ones(1000)
    f(x)
    gc.collect()
    alive = [o for o in gc.get_objects() if type(o) is etude.Tensor and o.shape == (1000,)]
    assert len([o for o in alive if o is not x and o.backend is x.backend]) == 0


def test_passes_may_be_chosen_and_programs_looked_at() -> None:
    f = etude.compile(lambda x: x * 1.0 + 2.0, passes=["dead"])
    f(etude.ones(2))
    assert [name for name, _ in f.programs] == ["recorded", "dead"]
    assert "binary" in str(f.programs[0][1])
    g = etude.compile(lambda x: x * 1.0 + 2.0)
    g(etude.ones(2))
    assert [name for name, _ in g.programs][1:] == [n for n in PASSES if n != "recompute"]


def test_anomaly_mode_runs_the_function_itself() -> None:
    f = etude.compile(lambda x: x.log())
    f(etude.ones(2))
    with etude.detect_anomaly(), pytest.raises(etude.AnomalyError, match="log"):
        f(etude.tensor([0.0, 1.0]))
