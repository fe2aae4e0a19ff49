"""Profiles: what is counted, where it belongs, the trace's format; nothing stays behind."""

from __future__ import annotations

import json
from threading import Thread

import pytest

import etude
from etude import functional as F
from etude import nn, optim
from etude.backends.base import Backend
from etude.backends.ceilings import Ceilings
from etude.framework.errors import ArgumentError, BadFile
from etude.framework.profiling import profiler, report, timeline

BACKENDS = [name for name, reason in etude.backends.available().items() if reason is None]
FAKE = Ceilings(1e12, ((1 << 20, 1e11), (1 << 28, 1e10)), "nobody")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten())
        self.head = nn.Linear(4 * 36, 3)

    def forward(self, x):
        return self.head(self.body(x)) * 2.0


def training(backend):
    """A training step and what to call it with."""
    with etude.use_backend(backend):
        etude.manual_seed(0)
        model = Net()
        x, y = etude.rand(5, 1, 8, 8), etude.tensor([0, 1, 2, 0, 1])
    opt = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step(x, y):
        opt.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
        return loss

    return step, x, y


def profiled(step, *inputs, times=1):
    with etude.profile(FAKE) as p:
        for _ in range(times):
            step(*inputs)
    return p


def lines(p, by="op"):
    return {r["name"]: r for r in p.records(by)}


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_training_step(backend, compiled):
    step, x, y = training(backend)
    step(x, y)
    if compiled:
        step = etude.compile(step, passes=[])
        step(x, y)
    p = profiled(step, x, y, times=2)
    ops = lines(p)
    assert {ops[name]["calls"] for name in ("conv", "conv_weight_grad", "linear", "sgd_steps")} == {
        2
    }
    assert ops["conv"]["flops"] == 2 * 2 * 9 * 5 * 4 * 36
    on_tape = compiled and backend == "c"  # where results that stay inside have places
    assert ops["linear"]["memory"] == (0 if on_tape else 2 * 5 * 3 * 4)
    assert ops["linear"]["bytes"] == 2 * 4 * (5 * 144 + 3 * 144 + 3 + 5 * 3)
    modules = lines(p, "module")
    assert {"Net.body.0", "Net.body.1", "Net.head", "Net", "(no module)"} <= modules.keys()
    stages = {(c.name, c.scope, c.stage) for c in p.calls}
    assert ("conv", "Net.body.0", "forward") in stages
    assert ("conv_weight_grad", "Net.body.0", "backward") in stages
    assert ("linear_grad", "Net.head", "backward") in stages
    assert ("binary mul", "Net", "forward") in stages
    assert ("binary mul", "Net", "backward") in stages
    assert ("sgd_steps", "", "update") in stages
    assert 0 < sum(r["seconds"] for r in ops.values()) < p.seconds
    assert {c.backend for c in p.calls} == {backend}


@pytest.mark.parametrize("backend", BACKENDS)
def test_results_are_those_without_a_profile(backend):
    step, x, y = training(backend)
    plain = [step(x, y).item() for _ in range(3)]
    step, x, y = training(backend)
    with etude.profile(FAKE):
        assert [step(x, y).item() for _ in range(3)] == plain
    step, x, y = training(backend)
    fast = etude.compile(step, passes=[])
    with etude.profile(FAKE):
        assert [fast(x, y).item() for _ in range(3)] == plain


@pytest.mark.parametrize("backend", BACKENDS)
def test_all_passes_and_their_memory(backend):
    step, x, y = training(backend)
    fast = etude.compile(step)
    for _ in range(2):
        fast(x, y)
    p = profiled(fast, x, y)
    assert sum(c.method == "fused" or "relu" in c.name for c in p.calls)
    assert "conv" in lines(p)
    kept = sum(c.made for c in p.calls if c.method != "empty")  # the arena is made once
    eager = sum(c.made for c in profiled(step, x, y).calls)
    assert 0 < kept <= eager


@pytest.mark.skipif("c" not in BACKENDS, reason="the C backend is not built")
def test_compiled_code_on_c_is_timed_on_its_tape():
    step, x, y = training("c")
    fast = etude.compile(step)
    for _ in range(2):
        fast(x, y)
    with etude.profile(FAKE) as outer:
        p = profiled(fast, x, y)
    methods = [i.method for i in fast.programs[-1][1].instructions if i.method != "reshape"]
    assert [c.method for c in p.calls] == [c.method for c in outer.calls] == methods
    assert all(a.end <= b.start for a, b in zip(p.calls, p.calls[1:], strict=False))
    assert p.start < p.calls[0].start <= p.calls[-1].end < p.end
    assert {("linear_grad", "backward"), ("sgd_steps", "update")} <= {
        (c.method, c.stage) for c in p.calls
    }


def test_saved_programs(tmp_path):
    model = nn.Linear(3, 2)
    f = etude.compile(model.forward)
    with etude.no_grad():
        f(etude.ones(4, 3))
    program = etude.load_program(f.save(tmp_path / "p"))
    p = profiled(program, etude.ones(4, 3))
    assert [c.method for c in p.calls if c.method not in ("empty", "full")] == ["linear"]


def test_nothing_stays_behind():
    backend = etude.backends.get("numpy")
    kind, call = type(backend), nn.Module.__call__
    before, own = dict(vars(kind)), {k: v for k, v in vars(backend).items() if k != "observe"}

    def inside():
        assert vars(kind)["unary"] is not before["unary"]
        assert nn.Module.__call__ is not call
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), etude.profile(FAKE):
        inside()
    assert dict(vars(kind)) == before
    assert {k: v for k, v in vars(backend).items() if k != "observe"} == own
    assert nn.Module.__call__ is call
    assert backend.observe is None
    assert not etude.backends.registry.arrivals


def test_profiles_in_profiles_and_an_observer_below():
    seen = []
    backend = etude.backends.get("numpy")
    backend.observe = lambda op, inputs, outputs: seen.append(op.name)
    try:
        with etude.profile(FAKE) as outer:
            etude.ones(2).exp()
            with etude.profile(FAKE) as inner:
                etude.ones(2).log()
            etude.ones(2).sin()
    finally:
        del backend.observe
    names = [c.name for c in outer.calls if c.method == "unary"]
    assert names == ["unary exp", "unary log", "unary sin"]
    assert [c.name for c in inner.calls if c.method == "unary"] == ["unary log"]
    assert seen == ["exp", "log", "sin"]


def test_a_call_that_fails_is_not_counted():
    with etude.profile(FAKE) as p:
        with pytest.raises(IndexError):
            etude.ones(3, 2)[etude.tensor([5])]
        etude.ones(2).exp()
    assert [c.name for c in p.calls][-1] == "unary exp"
    assert "gather" not in lines(p)


def test_what_a_method_calls_itself_is_part_of_it():
    x = etude.rand(1, 1, 6, 6, backend="python")
    p = profiled(lambda: F.conv2d(x, etude.ones(1, 1, 3, 3, backend="python")))
    assert [c.method for c in p.calls] == ["full", "conv"]


def test_backends_that_are_loaded_later_are_watched(monkeypatch):
    class Late(type(etude.backends.get("python"))):
        name = "late"

    monkeypatch.setitem(etude.backends.registry.PATHS, "late", f"{__name__}:Late")
    monkeypatch.setattr(etude.backends.registry, "_loaded", list(etude.backends.registry._loaded))
    monkeypatch.setitem(globals(), "Late", Late)
    with etude.profile(FAKE) as p:
        etude.ones(2, backend="late").exp()
    assert {c.backend for c in p.calls} == {"late"}
    assert "unary" not in vars(Late)


def test_threads_have_calls_of_their_own():
    model, x = Net(), etude.rand(2, 1, 8, 8)
    with etude.profile(FAKE) as p:
        workers = [Thread(target=model, args=(x,)) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert lines(p, "module")["Net.body.0"]["calls"] == 2
    assert sum(s.path == "Net" for s in p.spans) == 2


# tables -------------------------------------------------------------------------------------------
def made_up():
    """A profile of known times: 3 and 1 ms in 10."""
    p = profiler.Profile(FAKE)
    facts = {"backend": "numpy", "scope": "Net", "made": 0, "shapes": "(2,)", "thread": 1}
    rows = [("conv", "forward", 3e9, 10**6, 0, 3), ("relu", "backward", 0, 10**6, 5, 6)]
    for name, stage, flops, moved, start, end in rows:
        about = {"name": name, "method": name, "stage": stage, "flops": int(flops)}
        times = {"start": start * 10**6, "end": end * 10**6}
        p.calls.append(profiler.Call(**about, **times, moved=moved, **facts))
    p.end = 10 * 10**6
    return p


def test_shares_speeds_and_the_part_of_the_ceiling():
    conv, relu = made_up().records()
    assert (conv["name"], conv["share"], conv["of_ceiling"]) == ("conv", 0.3, 1.0)
    assert (relu["name"], relu["share"]) == ("relu", 0.1)
    assert relu["of_ceiling"] == pytest.approx(0.01)  # 1 MB at 100 GB/s is 10 us of 1 ms


def test_the_table():
    text = made_up().table().split("\n")
    assert text[0].split() == ["op", "calls", "ms", "share", "µs", "each", "GFLOP/s", "GB/s",
                               "ceiling", "MB", "made"]  # fmt: skip
    assert text[1].split() == ["conv", "1", "3.00", "30.0", "%", "3000.0", "1000.0", "0.3", "100",
                               "%"]  # fmt: skip
    assert text[3].split() == ["in", "the", "backends", "2", "4.00", "40.0", "%"]
    assert text[4].split() == ["outside", "the", "backends", "6.00", "60.0", "%"]
    assert text[5] == "ceilings: 1000 GFLOP/s, 100 GB/s for 1 MB, 10 GB/s for 256 MB (nobody)"
    assert str(made_up()) == "\n".join(text)


def test_order_and_length_of_the_table():
    p = made_up()
    assert p.table(sort_by="ceiling").split("\n")[1].startswith("relu")
    assert p.table(sort_by="name").split("\n")[1].startswith("conv")
    short = p.table(rows=1).split("\n")
    assert short[2].split()[:3] == ["1", "more", "1"]
    for order in report.ORDERS:
        assert len(p.table(sort_by=order).split("\n")) == 6
    for by in report.GROUPS:
        assert p.table(by=by)
    long = profiler.Profile(FAKE)
    long.calls, long.end = p.calls, p.end
    long.calls[0].name = "x" * 100
    assert ".." in long.table()


def test_wrong_words_are_named():
    with pytest.raises(ArgumentError, match="did you mean 'module'"):
        made_up().table(by="modul")
    with pytest.raises(ArgumentError, match="sort_by"):
        made_up().table(sort_by="speed")


def test_an_empty_profile_has_an_empty_table():
    with etude.profile(FAKE) as p:
        pass
    assert p.records() == []
    assert "in the backends" in p.table()


def test_ceilings_are_measured_when_needed(monkeypatch):
    monkeypatch.setattr(etude.backends.registry, "ceilings", lambda: FAKE)
    with etude.profile() as p:
        etude.ones(2).exp()
    assert p._ceilings is None
    assert "(nobody)" in p.table()


# traces -------------------------------------------------------------------------------------------
def test_the_trace_is_of_chrome_s_format(tmp_path):
    step, x, y = training("numpy")
    step(x, y)
    p = profiled(step, x, y)
    content = json.loads(p.save(tmp_path / "trace.json").read_text())
    assert content.keys() == {"traceEvents", "displayTimeUnit"}
    assert content["displayTimeUnit"] in ("ms", "ns")
    events = content["traceEvents"]
    for e in events:
        assert isinstance(e["name"], str)
        assert isinstance(e["pid"], int)
        assert isinstance(e["tid"], int)
        assert e["ph"] in ("X", "M")
        if e["ph"] == "X":
            assert isinstance(e["cat"], str)
            assert e["ts"] >= 0
            assert e["dur"] >= 0
            assert json.dumps(e["args"])
    assert {e["name"] for e in events if e["ph"] == "M"} == {"process_name", "thread_name"}


def test_events_nest(tmp_path):
    step, x, y = training("numpy")
    step(x, y)
    events = [e for e in timeline.events(profiled(step, x, y)) if e["ph"] == "X"]
    open_until = []
    around = {}
    for e in events:
        end = e["ts"] + e["dur"]
        while open_until and open_until[-1][0] <= e["ts"]:
            open_until.pop()
        assert not open_until or end <= open_until[-1][0] + 1e-6, e
        around.setdefault(e["name"], [name for _, name in open_until])
        open_until.append((end, e["name"]))
    assert around["conv"] == ["Net", "Net.body", "Net.body.0"]
    assert around["conv_weight_grad"] == ["backward", "Net.body.0 backward"]
    assert around["sgd_steps"] == ["update"]


def test_a_trace_that_cannot_be_written(tmp_path):
    with pytest.raises(BadFile, match=r"\[profile\] cannot write"):
        made_up().save(tmp_path / "no" / "trace.json")


def test_every_method_is_timed_or_known_not_to_be():
    public = {name for name in dir(Backend) if name[0] != "_" and callable(getattr(Backend, name))}
    assert public - {*profiler.METHODS} == profiler.UNTIMED - {"observe"}


def test_a_profile_on_the_roofline(tmp_path):
    pytest.importorskip("matplotlib")
    from etude.bench.plots import of_profile

    step, x, y = training("numpy")
    p = profiled(step, x, y)
    path = of_profile(p, tmp_path / "roofline.png")
    assert path.read_bytes().startswith(b"\x89PNG")
