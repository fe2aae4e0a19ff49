"""What a recording cannot hold is refused with the line and the way out; nothing is changed."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest

import etude
from etude import functional as F
from etude import nn, optim
from etude.framework.errors import (
    ArgumentError,
    BackendMismatch,
    CallError,
    EtudeError,
    GradError,
)

TURNS = 0
LOG: list[Any] = []


def refuses(fn: Any, *args: Any, error: type[EtudeError] = GradError, word: str, fix: str) -> None:
    """The call raises; the message names this file's line, what was done and the way out."""
    rng = etude.get_rng_state()
    for _ in range(2):
        with pytest.raises(error) as raised:
            etude.compile(fn)(*args)
        text = str(raised.value)
        assert re.search(word, text), text
        assert fix in text, text
        assert text.startswith("[compile] expected"), text
    assert etude.get_rng_state() == rng


def at_a_line(fn: Any, word: str, fix: str) -> None:
    refuses(fn, etude.ones(3), word=word + r".*test_compile_errors\.py:\d+: ", fix=fix)


READING = {
    "item": (lambda x: x.sum().item(), r"item\(\)", "return the tensor"),
    "tolist": (lambda x: (x * 2).tolist(), r"tolist\(\)", "return the tensor"),
    "float": (lambda x: float(x.sum()), "item", "return the tensor"),
    "numpy": (lambda x: (x * 2).numpy(), r"numpy\(\)", "return the tensor"),
    "branch": (lambda x: x if x.sum() > 0 else -x, "branch", "where"),
    "argument": (lambda x: x if x[0] > 0 else -x, "branch", "where"),
    "while": (lambda x: [0 for _ in iter(lambda: bool(x.sum() > 0), True)], "branch", "where"),
    "contains": (lambda x: 3.0 in (x * 2), "branch", "where"),
    "print": (lambda x: print(x * 2), "print", "outside"),
    "format": (lambda x: f"{x.sum():.3f}", "item", "outside"),
    "mask": (lambda x: x[x > 0], "mask", "where"),
    "nonzero": (lambda x: F.nonzero(x), "mask", "where"),
}


@pytest.mark.parametrize("name", READING)
def test_reading_a_value_names_the_line_and_the_way_out(name: str) -> None:
    at_a_line(*READING[name])


def test_reading_the_value_of_state_is_refused_too() -> None:
    w = etude.ones(1)
    at_a_line(lambda x: x * w.item(), "item", "return the tensor")


def test_a_norm_that_must_be_finite_is_a_branch() -> None:
    model = nn.Linear(3, 1)

    def f(x):
        model(x).sum().backward()
        optim.clip_grad_norm_(model.parameters(), 1.0, error_if_nonfinite=True)

    at_a_line(f, "branch", "where")
    assert all(p.grad is None for p in model.parameters())


def test_an_average_over_all_batches_reads_its_counter() -> None:
    model = nn.BatchNorm1d(3, momentum=None)
    refuses(model, etude.rand(4, 3), word="item", fix="return the tensor")
    assert model.num_batches_tracked.item() == 0


class Keeper:
    """An object that nothing in the function names, so that its attributes are not looked at."""

    last: Any = None


def keep(x: Any) -> None:
    vars(itertools).setdefault("_keeper", Keeper()).last = x


def test_a_tensor_that_escapes_says_where_it_came_from() -> None:
    f = etude.compile(lambda x: keep(x * 2.0) or x.sum())
    assert f(etude.ones(2)).item() == 2.0
    kept = vars(itertools).pop("_keeper").last
    for use in (lambda: kept + 1.0, lambda: etude.ones(2) * kept, kept.tolist,
                lambda: repr(kept), kept.sum, lambda: kept.to("python")):  # fmt: skip
        with pytest.raises(GradError, match=r"recorded, at test_compile_errors\.py:\d+.*return it"):
            use()


def test_appending_to_a_list_is_refused_and_taken_back() -> None:
    refuses(
        lambda x: LOG.append(x * 2), etude.ones(1), error=ArgumentError, word="LOG", fix="return"
    )
    assert LOG == []
    local: dict[str, Any] = {"loss": None}

    def f(x):
        local["loss"] = x * 2

    refuses(f, etude.ones(1), error=ArgumentError, word="loss", fix="return")
    assert local == {"loss": None}


def test_counting_in_a_global_or_closure_is_refused_and_taken_back() -> None:
    turns = 0

    def in_global(x):
        global TURNS
        TURNS += 1
        return x

    def in_closure(x):
        nonlocal turns
        turns += 1
        return x

    refuses(in_global, etude.ones(1), error=ArgumentError, word="TURNS.* 0 to .* 1", fix="return")
    refuses(in_closure, etude.ones(1), error=ArgumentError, word="turns", fix="return")
    assert (TURNS, turns) == (0, 0)


def test_counting_in_a_module_is_refused_and_taken_back() -> None:
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.calls = 0

        def forward(self, x):
            self.calls += 1
            return x * 2.0

    model = Counting()
    refuses(model, etude.ones(1), error=ArgumentError, word=r"calls", fix="register_buffer")
    assert model.calls == 0

    def switches(x):
        model.eval()
        return x

    refuses(switches, etude.ones(1), error=ArgumentError, word="training", fix="outside")
    assert model.training


def test_taking_from_an_iterator_is_refused() -> None:
    numbers = iter([etude.ones(1), etude.ones(1), etude.ones(1)])
    batches = (etude.ones(1) for _ in range(5))
    refuses(lambda x: x * next(numbers), etude.ones(1), error=ArgumentError, word="numbers",
            fix="pass it in")  # fmt: skip
    refuses(lambda x: x * next(batches), etude.ones(1), error=ArgumentError, word="batches",
            fix="pass it in")  # fmt: skip


def test_a_generator_function_is_refused() -> None:
    def f(x):
        yield x

    with pytest.raises(CallError, match=r"generator.*one turn"):
        etude.compile(f)
    with pytest.raises(CallError, match="expected a function, got the number 3"):
        etude.compile(3)
    with pytest.raises(ArgumentError, match="expected names of passes, got 'fusion'"):
        etude.compile(lambda x: x, passes=["fusion"])


def test_an_optimizer_that_is_not_named_asks_for_state() -> None:
    model = nn.Linear(3, 1)
    keep(optim.SGD(model.parameters(), 0.1))

    def f(x):
        model(x).sum().backward()
        vars(itertools)["_keeper"].last.step()

    refuses(f, etude.ones(3), error=ArgumentError, word=r"SGD.*errors\.py:\d+:",
            fix="state=[optimizer]")  # fmt: skip
    opt = vars(itertools)["_keeper"].last
    before = model.weight.tolist()
    etude.compile(f, state=[opt])(etude.ones(3))
    assert model.weight.tolist() != before
    del vars(itertools)["_keeper"]


def test_a_schedule_between_two_steps_is_refused() -> None:
    w = etude.ones(1, requires_grad=True)
    opt = optim.SGD([w], 0.1)
    plan = optim.ExponentialLR(opt, 0.5)

    def f(x):
        w.sum().backward()
        opt.step()
        plan.step()
        opt.step()

    refuses(f, etude.ones(1), error=ArgumentError, word="schedule", fix="functions of their own")
    assert (opt.param_groups[0]["lr"], plan.last_epoch, w.grad) == (0.1, 0, None)
    plateau = optim.ReduceLROnPlateau(opt)
    at_a_line(lambda x: plateau.step(x.sum()), "item", "return the tensor")


def test_generators_and_seeds_inside_are_refused() -> None:
    own = etude.Generator().manual_seed(1)

    def seeded(x):
        etude.manual_seed(0)
        return x + etude.rand(1)

    for f in (seeded, lambda x: x + etude.rand(1, generator=own)):
        refuses(f, etude.ones(1), error=ArgumentError, word="random", fix="outside")


def test_another_backend_inside_is_refused() -> None:
    refuses(
        lambda x: x + etude.rand(1, backend="python").to("numpy"),
        etude.ones(1),
        error=BackendMismatch,
        word="'numpy' and 'python'",
        fix="backend=x.backend",
    )
    with pytest.raises(BackendMismatch, match="one backend"):
        etude.compile(lambda x, y: x)(etude.ones(1), etude.ones(1, backend="python"))


def test_arrays_are_refused_as_arguments() -> None:
    import numpy as np

    with pytest.raises(CallError, match=r"etude\.tensor"):
        etude.compile(lambda x: x)(np.ones(2))


def test_a_result_has_no_graph_and_says_so() -> None:
    w = etude.ones(2, requires_grad=True)
    y = etude.compile(lambda x: x * w)(etude.ones(2))
    assert y.requires_grad
    for use in (y.sum().backward, lambda: etude.grad(y.sum(), [w])):
        with pytest.raises(GradError, match=r"compiled function.*backward\(\) inside"):
            use()
    assert y.detach().tolist() == [1.0, 1.0]


def test_a_tensor_with_a_graph_is_refused() -> None:
    w = etude.ones(2, requires_grad=True)
    outside = w * 2.0
    refuses(lambda x: x + 1.0, outside, word="outside the graph", fix="detach")
    refuses(lambda x: x * outside, etude.ones(2), word="outside the graph", fix="detach")
    with etude.no_grad():
        assert etude.compile(lambda x: x + 1.0)(outside).tolist() == [3.0, 3.0]


def test_results_in_objects_are_refused() -> None:
    class Box:
        def __init__(self, x):
            self.x = x

    refuses(lambda x: Box(x * 2), etude.ones(1), error=CallError, word="Box", fix="dict")


def test_requires_grad_inside_is_refused_and_taken_back() -> None:
    w = etude.ones(2)
    refuses(lambda x: x * w.requires_grad_(), etude.ones(2), error=ArgumentError,
            word="requires_grad", fix="outside")  # fmt: skip
    assert not w.requires_grad


def test_nothing_runs_without_a_recording_to_look_at() -> None:
    f = etude.compile(lambda x: x)
    with pytest.raises(ArgumentError, match="call the function first"):
        _ = f.programs
