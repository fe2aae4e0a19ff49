"""etude.compile gives what the function gives, to the bit, whatever it does with state."""

from __future__ import annotations

import gc
from functools import partial
from threading import Thread
from typing import Any

import pytest

import etude
from etude import functional as F
from etude import nn, optim
from etude.framework.compile.passes import EXACT, PASSES

BACKENDS = [name for name, reason in etude.backends.available().items() if reason is None]
GAIN = 2.0

OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, 0.1),
    "momentum": lambda p: optim.SGD(p, 0.1, 0.9, dampening=0.2, weight_decay=0.01),
    "nesterov": lambda p: optim.SGD(p, 0.1, 0.9, nesterov=True, maximize=True),
    "adam": lambda p: optim.Adam(p, 0.01, (0.8, 0.95), 1e-3, 0.1),
    "adamw": lambda p: optim.AdamW(p, 0.01),
    "rmsprop": lambda p: optim.RMSprop(p, 0.01, centered=True, momentum=0.5, weight_decay=0.1),
    "adagrad": lambda p: optim.Adagrad(p, 0.1, 0.1, 0.01),
}
SCHEDULES = {
    "none": lambda o: None,
    "cosine": lambda o: optim.CosineAnnealingLR(o, 7),
    "step": lambda o: optim.StepLR(o, 2, 0.5),
    "lambda": lambda o: optim.LambdaLR(o, lambda t: 1.0 / (t + 1)),
    "warm-up": lambda o: optim.SequentialLR(
        o, [optim.LinearLR(o, 0.1, total_iters=3), optim.ExponentialLR(o, 0.9)], [3]
    ),
}


def plain(x: Any) -> Any:
    """Tensors of a nest as lists, so that == compares to the bit (but for the sign of zero)."""
    if isinstance(x, etude.Tensor):
        return repr(x.detach().tolist()), x.dtype, x.shape, x.requires_grad
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    return type(x)(map(plain, x)) if isinstance(x, (list, tuple)) else x


def net(backend: str) -> nn.Module:
    etude.manual_seed(3)
    with etude.use_backend(backend):
        return nn.Sequential(
            nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.3), nn.Linear(6, 3)
        )


def train(
    backend: str, optimizer: str, schedule: str, compiled: bool, passes: Any = EXACT
) -> dict[str, Any]:
    """Eight steps: what each returned, and everything that is left."""
    with etude.use_backend(backend):
        model = net(backend)
        opt = OPTIMIZERS[optimizer](model.parameters())
        plan = SCHEDULES[schedule](opt)

        def step(x, y):
            opt.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            norm = optim.clip_grad_norm_(model.parameters(), 0.5)
            opt.step()
            if plan is not None:
                plan.step()
            return {"loss": loss, "norm": norm}

        run = etude.compile(step, passes=passes) if compiled else step
        results = []
        for i in range(8):
            if i == 5:
                opt.param_groups[0]["lr"] *= 0.5  # by hand, besides the schedule
            results.append(run(etude.rand(5, 4), etude.tensor([0, 1, 2, 1, 0])))
        if compiled:
            assert run.cache_info().size == 1
            assert run.cache_info().hits >= 6
        return {
            "results": plain(results),
            "model": plain(model.state_dict()),
            "optimizer": plain(opt.state_dict()),
            "schedule": None if plan is None else plan.state_dict(),
            "gradients": [plain(p.grad) for p in model.parameters()],
            "rng": etude.get_rng_state(),
        }


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
        assert float(a["loss"][0]) == pytest.approx(float(b["loss"][0]), rel=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_gradients_that_are_there_are_added_to(backend: str) -> None:
    def run(compiled: bool) -> Any:
        model = net(backend).eval()

        def gather(x):
            loss = model(x).square().mean()
            loss.backward()
            return loss

        f = etude.compile(gather, passes=EXACT) if compiled else gather
        with etude.use_backend(backend):
            left = []
            for _ in range(4):
                f(etude.rand(3, 4))
                left.append([plain(p.grad) for p in model.parameters()])
            model.zero_grad()
            f(etude.rand(3, 4))
            return left, [plain(p.grad) for p in model.parameters()]

    assert run(True) == run(False)


def test_what_became_of_gradients_is_what_eager_leaves() -> None:
    def run(compiled: bool) -> Any:
        a, b = (etude.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
        b.grad = etude.tensor([7.0, 7.0])

        def f(x):
            a.grad = None
            (a * x).sum().backward()

        g = etude.compile(f) if compiled else f
        left = []
        for i in range(3):
            g(etude.full((2,), float(i)))
            left.append((plain(a.grad), plain(b.grad)))
        return left

    assert run(True) == run(False)


def test_gradients_of_arguments_are_left_in_them() -> None:
    @etude.compile
    def f(x, y):
        (x * y).sum().backward()

    y = etude.tensor([3.0, 4.0])
    for _ in range(3):
        x = etude.ones(2, requires_grad=True)
        f(x, y)
        assert x.grad.tolist() == [3.0, 4.0]
        f(x, y)
        assert x.grad.tolist() == [6.0, 8.0]
    assert y.grad is None


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


def test_tensors_of_closures_are_read_anew() -> None:
    w = etude.ones(2)
    box = [etude.ones(2)]
    f = etude.compile(lambda x: x * w + box[0])
    assert f(etude.ones(2)).tolist() == [2.0, 2.0]
    w.copy_(etude.tensor([5.0, 6.0]))
    assert f(etude.ones(2)).tolist() == [6.0, 7.0]
    box[0] = etude.zeros(2)
    assert f(etude.ones(2)).tolist() == [5.0, 6.0]
    w = etude.zeros(2)
    assert f(etude.ones(2)).tolist() == [0.0, 0.0]


def test_a_tensor_that_nothing_names_is_found_when_it_is_read() -> None:
    class Holder:
        def __init__(self):
            self.__dict__["hidden"] = etude.ones(2)

        def get(self):
            return vars(self)["hid" + "den"]

    holder = Holder()
    f = etude.compile(lambda x: x * holder.get())
    assert f(etude.ones(2)).tolist() == [1.0, 1.0]
    holder.get().mul_(4.0)
    assert f(etude.ones(2)).tolist() == [4.0, 4.0]


def test_state_changes_in_place_at_each_replay() -> None:
    count, seen = etude.zeros(()), etude.zeros(2)

    @etude.compile
    def f(x):
        count.add_(1.0)
        seen.copy_(x)
        return count * 10.0

    for i in range(1, 4):
        assert f(etude.full((2,), float(i))).item() == 10.0 * i
        assert (count.item(), seen.tolist()) == (i, [i, i])


def test_an_argument_changed_in_place_is_changed_for_the_caller() -> None:
    @etude.compile
    def f(x):
        x.mul_(2.0)
        return x.sum()

    for _ in range(3):
        x = etude.ones(3)
        assert f(x).item() == 6.0
        assert x.tolist() == [2.0, 2.0, 2.0]


def test_arguments_that_are_one_tensor_or_share_memory() -> None:
    @etude.compile
    def f(a, b):
        (a * b * b).sum().backward()
        return a + b

    one, two = (etude.full((1,), v, requires_grad=True) for v in (2.0, 3.0))
    for _ in range(2):
        one.grad = two.grad = None
        f(one, two)
        assert (one.grad.item(), two.grad.item()) == (9.0, 12.0)
        one.grad = None
        f(one, one)
        assert one.grad.item() == 3 * 4.0
    x = etude.ones(2)
    g = etude.compile(lambda a, b: a * 2.0 + b)
    assert g(x, x.detach()).tolist() == [3.0, 3.0]
    assert g(x, etude.zeros(2)).tolist() == [2.0, 2.0]


def test_an_argument_that_is_also_state() -> None:
    def run(compiled: bool) -> Any:
        w, other = etude.tensor([0.5], requires_grad=True), etude.tensor([3.0])
        opt = optim.SGD([w], 0.1)

        def f(x):
            opt.zero_grad()
            (x * w * w).sum().backward()
            opt.step()
            return x * 1.0

        g = etude.compile(f) if compiled else f
        left = []
        for choice in "owodwdow":
            x = {"o": other, "w": w, "d": w.detach()}[choice]
            left += [plain(g(x)), plain(w), plain(w.grad)]
        return left

    assert run(True) == run(False)


def test_results_outlive_the_next_call() -> None:
    model = net("numpy").eval()
    f = etude.compile(lambda x: (model(x), model(x).sum()))
    x, z = etude.rand(3, 4), etude.rand(3, 4)
    first, second = f(x), f(z)
    assert plain(first) == plain((model(x), model(x).sum()))
    assert plain(second) == plain((model(z), model(z).sum()))


def test_gradients_that_were_taken_outlive_the_next_step() -> None:
    w = etude.ones(2, requires_grad=True)

    @etude.compile
    def f(x):
        w.grad = None
        (w * x).sum().backward()

    f(etude.ones(2))
    kept = w.grad
    f(etude.zeros(2))
    assert kept.tolist() == [1.0, 1.0]
    assert w.grad.tolist() == [0.0, 0.0]


def test_weights_may_be_loaded_copied_frozen_and_moved_between_calls() -> None:
    model = net("numpy").eval()
    f = etude.compile(model)
    x = etude.rand(3, 4)

    def agrees():
        assert plain(f(x)) == plain(model(x))

    agrees()
    etude.manual_seed(9)
    model.load_state_dict({k: v * 0.5 for k, v in model.state_dict().items()})
    agrees()
    with etude.no_grad():
        next(model.parameters()).copy_(etude.rand(6, 4))
    agrees()
    model.requires_grad_(False)
    agrees()
    model.train()
    model[3].p = 0.0
    agrees()
    model[4] = nn.Linear(6, 2)
    agrees()
    model.double()
    x = x.double()
    agrees()
    model.to("python")
    x = x.to("python")
    with etude.use_backend("python"):
        agrees()


def test_an_optimizers_options_and_state_may_be_replaced_between_calls() -> None:
    def run(compiled: bool) -> Any:
        model = net("numpy")
        opt = OPTIMIZERS["adam"](model.parameters())

        def step(x):
            opt.zero_grad()
            model(x).square().sum().backward()
            opt.step()

        f = etude.compile(step, passes=EXACT) if compiled else step
        saved = None
        for i in range(8):
            if i == 3:
                saved = opt.state_dict()
                saved = {**saved, "state": {k: {n: t if n == "step" else t.clone()
                         for n, t in s.items()} for k, s in saved["state"].items()}}  # fmt: skip
            if i == 5:
                opt.load_state_dict(saved)
            if i == 6:
                opt.param_groups[0].update(betas=(0.5, 0.6), eps=0.1, weight_decay=0.0)
            if i == 7:
                step(etude.ones(2, 4))  # an eager one between
            f(etude.rand(2, 4))
        return plain(model.state_dict()), plain(opt.state_dict())

    assert run(True) == run(False)


def test_a_learning_rate_changed_inside_the_function() -> None:
    w = etude.zeros(1, requires_grad=True)
    opt = optim.SGD([w], 1.0)

    @etude.compile
    def f():
        opt.zero_grad()
        w.sum().backward()
        opt.step()
        opt.param_groups[0]["lr"] *= 0.5
        return opt.param_groups[0]["lr"]

    assert [f() for _ in range(4)] == [0.5, 0.25, 0.125, 0.0625]
    assert w.item() == -1.875
    assert f.cache_info()[:3] == (3, 1, 1)


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


def test_exceptions_pass_through_and_leave_everything() -> None:
    model = net("numpy")
    opt = OPTIMIZERS["adam"](model.parameters())
    wrong = False

    @etude.compile
    def step(x):
        opt.zero_grad()
        model(x).sum().backward()
        opt.step()
        if wrong:
            raise ValueError("mine")

    step(etude.ones(2, 4))
    step(etude.ones(2, 4))
    before = plain(model.state_dict()), plain(opt.state_dict()), etude.get_rng_state()
    grads = [p.grad for p in model.parameters()]
    wrong = True
    with pytest.raises(ValueError, match="mine"):
        step(etude.ones(2, 4))
    assert (plain(model.state_dict()), plain(opt.state_dict()), etude.get_rng_state()) == before
    assert all(p.grad is g for p, g in zip(model.parameters(), grads))
    assert type(opt.param_groups[0]["lr"]) is float


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
