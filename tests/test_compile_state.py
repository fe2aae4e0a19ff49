"""State that a compiled function reads and leaves: what eager code reads and leaves."""

from __future__ import annotations

from typing import Any

import pytest
from compiled import BACKENDS, OPTIMIZERS, net, plain

import etude
from etude import nn, optim
from etude.framework.compile.passes import EXACT


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


def test_hooks_and_frozen_parameters_are_noticed() -> None:
    def run(compiled: bool) -> Any:
        a, b = (etude.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
        opt = optim.SGD([a, b], 0.1)

        def step(x):
            opt.zero_grad()
            (a * b * x).sum().backward()
            opt.step()

        f = etude.compile(step) if compiled else step
        left, handle = [], None
        for i in range(8):
            if i == 2:
                handle = a.register_hook(lambda g: g * 3.0)
            if i == 4:
                handle.remove()
            if i == 5:
                b.requires_grad_(False)
            if i == 7:
                b.requires_grad_()
            f(etude.full((2,), float(i)))
            left.append([plain(t) for t in (a, b, a.grad, b.grad)])
        return left

    assert run(True) == run(False)


def test_two_functions_share_a_model() -> None:
    def run(compiled: bool) -> Any:
        model = net("numpy")
        opt = OPTIMIZERS["momentum"](model.parameters())

        def train(x):
            opt.zero_grad()
            loss = model(x).square().sum()
            loss.backward()
            opt.step()
            return loss

        @etude.no_grad()
        def score(x):
            return model(x)

        f, g = (etude.compile(h, passes=EXACT) if compiled else h for h in (train, score))
        found = []
        for _ in range(5):
            model.train()
            found.append(plain(f(etude.rand(4, 4))))
            model.eval()
            found.append(plain(g(etude.rand(4, 4))))
        if compiled:
            assert (f.cache_info().hits, g.cache_info().hits) == (3, 4)
        return found

    assert run(True) == run(False)


def test_two_optimizers_in_one_function() -> None:
    def run(compiled: bool) -> Any:
        one, two = nn.Linear(2, 2), nn.Linear(2, 1)
        first, second = optim.Adam(one.parameters(), 0.01), optim.Adam(two.parameters(), 0.1)

        def step(x):
            made = one(etude.randn(4, 2))
            second.zero_grad()
            loss = two(made.detach()).exp().mean() - two(x).mean()
            loss.backward()
            second.step()
            first.zero_grad()
            other = -two(made).mean()
            other.backward()
            first.step()
            return loss, other

        f = etude.compile(step, passes=EXACT) if compiled else step
        losses = [plain(f(etude.rand(4, 2))) for _ in range(5)]
        return losses, [plain(p.grad) for p in two.parameters()], plain(two.state_dict())

    etude.manual_seed(0)
    expected = run(False)
    etude.manual_seed(0)
    assert run(True) == expected
