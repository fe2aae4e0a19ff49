"""The passes that look for patterns: epilogues, batch norm, pools, cross-entropy."""

from __future__ import annotations

import math

import pytest
from test_compile_passes import NUMPY, X, lines, made

import etude
from etude import functional as F
from etude import nn, optim
from etude.framework.compile.passes import optimize
from etude.framework.compile.passes.common import common
from etude.framework.compile.passes.cross_entropy import cross_entropy
from etude.framework.compile.passes.early import early
from etude.framework.compile.passes.epilogue import epilogue, scales
from etude.framework.compile.passes.fold import fold
from etude.framework.compile.passes.norms import norms
from etude.framework.compile.passes.pools import pools
from etude.framework.compile.passes.transposes import copies, transposes
from etude.framework.graph.patterns import Search

BACKENDS = [name for name, reason in etude.backends.available().items() if reason is None]


# the language -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "pattern, count",
    [
        ("unary('exp', x)", 2),
        ("unary(f, x)", 3),
        ("binary(f, unary('neg', x), y)", 1),
        ("binary('add', a, unary('neg', b))", 1),  # a sum matches both ways round
        ("binary('sub', a, unary('exp', b))", 1),
        ("binary('sub', unary('exp', a), b)", 0),
        ("binary('sub', a, (b := unary('exp', a)))", 0),  # one name, two values
        ("binary('mul', a, unary('exp', b))", 0),  # others read that
        ("binary('mul', a, (b := unary('exp', c)))", 1),
        ("binary('mul', (a := binary(f, *b)), c)", 1),
        ("reshape(reshaped((x := binary('mul', a, b))), (6,))", 2),
        ("unary('exp', x, None)", 2),
        ("unary('exp')", 0),
    ],
)
def test_what_patterns_fit(pattern, count):
    def f(x):
        y = (-x) + x * 2.0 - x.exp()
        z = y * (e := y.exp())
        return e, z.reshape(3, 2).reshape(6)

    assert len(Search(made(f, X)).all(pattern)) == count


@pytest.mark.parametrize("moved", ["weight", "bias"])
def test_no_product_moves_over_a_change_of_what_it_reads(moved):
    w, other = etude.ones(4, 3, requires_grad=True), etude.ones(4, requires_grad=True)
    opt = optim.SGD([w if moved == "weight" else other], 0.1)

    def f(x):
        opt.zero_grad()
        y = F.linear(x, w.detach())
        (w.sum() + other.sum()).backward()
        opt.step()
        return y.relu()

    program = made(f, X, state=[w, other, opt])
    after = epilogue(program)
    assert (after is program) == (moved == "weight")
    assert moved == "weight" or after(X).tolist() == program(X).tolist()


# epilogues ----------------------------------------------------------------------------------------
def test_bias_and_activation_join_the_product():
    w, b = etude.ones(4, 3), etude.ones(4)
    program = made(lambda x: (x @ w.t() + b).tanh(), X, state=[w, b])
    after = epilogue(transposes(program))
    assert lines(after) == ["%6 = linear(input0, tensor0, tensor1, activation='tanh')"]
    assert after.flops == program.flops
    conv = nn.Conv2d(1, 2, 3)
    program = made(lambda x: conv(x).relu(), etude.ones(1, 1, 4, 4), state=[conv])
    (text,) = lines(epilogue(program))
    assert text.endswith("activation='relu')")


def test_a_product_that_others_read_stays():
    w = etude.ones(4, 3)

    def twice(x):
        y = F.linear(x, w)
        return y, y.relu()

    for f in (
        twice,
        lambda x: F.linear(x, w).exp(),
        lambda x: F.linear(x, w) + etude.ones(2, 4),
        lambda x: (x @ etude.ones(3, 4) + etude.ones(4)).relu(),
    ):
        program = made(f, X, state=[w])
        assert epilogue(program) is program


def test_batch_norm_after_training_joins_the_weights():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()).eval()
    x = etude.randn(2, 3, 6, 6)
    program = made(lambda x: model(x), x, state=[model])
    after = optimize(program, NUMPY)
    assert [i.method for i in after.instructions if len(i.outputs[0].shape) == 4][-1] == "conv"
    assert not any(i.method == "binary" for i in after.instructions if i.outputs[0].shape[0] == 2)
    assert etude.allclose(after(x), program(x), atol=1e-6)
    assert scales(made(lambda x: model[0](x) * 2.0, x, state=[model])).flops > 0


def test_scales_leave_other_factors_alone():
    conv, s = nn.Conv2d(3, 4, 3), etude.ones(1, 1, 1, 4)
    program = made(lambda x: conv(x) * s, etude.ones(2, 3, 6, 6), state=[conv, s])
    assert scales(program) is program


# batch norm ---------------------------------------------------------------------------------------
class Block(nn.Module):
    """Two batch norms, each with a relu behind it, the second with a residual too."""

    def __init__(self, channels):
        super().__init__()
        self.first, self.second = nn.BatchNorm1d(channels), nn.BatchNorm1d(channels)

    def forward(self, x):
        return (x + self.second(self.first(x).relu() * 2.0)).relu()


def trained(block, x):
    x.grad = None
    for p in block.parameters():
        p.grad = None
    y = block(x)
    (y * y).sum().backward()
    return y.detach()


def test_relu_and_residual_join_batch_norm():
    block, x = Block(3), etude.randn(2, 3, 5).requires_grad_()
    program = made(lambda: trained(block, x), state=[block, x])
    after = norms(program)
    methods = [i.method for i in after.instructions]
    assert methods.count("batch_norm_relu") == 2
    assert "batch_norm" not in methods
    assert methods.count("batch_norm_relu_grad") == methods.count("batch_norm_grad") == 1
    assert not any(i.arguments[0] == "relu" for i in after.instructions if i.method == "unary")
    assert sum(len(i.arguments) == 5 for i in after.instructions if "norm_relu" in i.method) == 1
    assert after.bytes < 0.9 * program.bytes


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", [(3, 2, 4), (5, 3, 70), (4, 9, 64), (6, 5)])
def test_relu_in_batch_norm_gives_equal_bits(backend, shape):
    with etude.use_backend(backend):
        block, x = Block(shape[1]), etude.randn(*shape).requires_grad_()
        program = made(lambda: trained(block, x), state=[block, x])
        after = norms(program)
        assert after is not program
        results = []
        for p in (program, after):
            y = p()
            found = [y, x.grad, *(q.grad for q in block.parameters())]
            results.append([t.numpy().tobytes() for t in found])
        assert results[0] == results[1]


def test_batch_norms_that_others_read_stay():
    norm, x, r = nn.BatchNorm1d(3), etude.randn(4, 3), etude.randn(4, 3)

    def late(x):
        y = norm(x)
        return (y + x.exp()).relu()  # made after the batch norm

    def both(x):
        y = norm(x)
        return y, y.relu()

    def wider(x):
        return (norm(x) + etude.ones(2, 4, 3)).relu()

    for f in (late, both, wider, lambda x: (norm(x) + 1.0).relu(), lambda x: norm(x).tanh()):
        program = made(f, x, state=[norm, r])
        assert norms(program) is program


def logits(x, w, y):
    return F.nll_loss(F.log_softmax(x @ w, 1), y)


def test_log_softmax_and_labels_become_cross_entropy():
    w, y = etude.randn(3, 4, requires_grad=True), etude.tensor([3, 1])

    def f(x, y):
        w.grad = None
        loss = logits(x, w, y)
        loss.backward()
        return loss

    program = made(f, X, y, state=[w])
    after = cross_entropy(common(fold(copies(program), NUMPY)))
    methods = [i.method for i in after.instructions]
    assert {"cross_entropy", "cross_entropy_grad"} <= {*methods}
    assert not {"log_softmax", "log_softmax_grad", "gather", "scatter_add"} & {*methods}
    assert after(X, y).item() == pytest.approx(program(X, y).item(), rel=1e-6)
    with pytest.raises(IndexError):
        after(X, etude.tensor([3, 4]))


def test_logarithms_that_others_read_are_kept():
    w, y = etude.randn(3, 4), etude.tensor([3, 1])

    def f(x, y):
        logs = F.log_softmax(x @ w, 1)
        return F.nll_loss(logs, y), logs.exp()

    program = fold(copies(made(f, X, y, state=[w])), NUMPY)
    assert cross_entropy(program) is program


# pools --------------------------------------------------------------------------------------------
def pooled(x, w, kernel=2, stride=2, padding=0):
    w.grad = None
    y = F.max_pool2d((x * w).relu(), kernel, stride, padding)
    (y * y).sum().backward()
    return y.detach()


def test_relu_goes_behind_the_pool():
    w = etude.ones(1, requires_grad=True)
    program = made(lambda x: pooled(x, w), etude.randn(2, 3, 6, 6), state=[w])
    after = pools(program)
    order = [i.arguments[0] if "ary" in i.method else i.method for i in after.instructions]
    assert order.index("max_pool") < order.index("relu")
    assert order.index("relu_grad") < order.index("max_pool_grad")
    assert after.bytes < 0.8 * program.bytes


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("window", [(2, 2, 0), (3, 2, 1), (3, 1, 1)])
def test_relu_behind_the_pool_gives_equal_bits(backend, window):
    values = [-0.0, 0.0, 1.0, 1.0, -1.0, math.nan, math.inf, -math.inf, 0.5, -2.0]
    with etude.use_backend(backend):
        x = etude.tensor([values[(7 * n + n // 6) % 10] for n in range(98)]).reshape(1, 2, 7, 7)
        w = etude.full((1, 2, 7, 7), 1.0).requires_grad_()
        program = made(lambda x: pooled(x, w, *window), x, state=[w])
        after = pools(program)
        assert after is not program
        found = [(p(x).numpy().tobytes(), w.grad.numpy().tobytes()) for p in (program, after)]
        assert found[0] == found[1]


def test_a_relu_that_others_read_stays_before_the_pool():
    w = etude.ones(1, requires_grad=True)

    def both(x):
        w.grad = None
        y = (x * w).relu()
        (F.max_pool2d(y, 2) * y[:, :, ::2, ::2]).sum().backward()

    def places(x):
        w.grad = None
        y, at = F.max_pool2d((x * w).relu(), 2, return_indices=True)
        y.sum().backward()
        return at

    for f in (both, places, lambda x: F.max_pool2d(x.relu(), 2)):
        program = made(f, etude.randn(1, 1, 4, 4), state=[w])
        assert pools(program) is program


# steps with their gradients -----------------------------------------------------------------------
def recorded_step(change=lambda model, loss: loss, clip=False, kind=optim.Adam, sizes=(520, 128)):
    """A recorded step of two layers, of which the first is large."""
    model = nn.Sequential(nn.Linear(*sizes), nn.ReLU(), nn.Linear(sizes[1], 3))
    opt = kind(model.parameters(), 0.1)

    def step(x, y):
        opt.zero_grad()
        loss = change(model, F.cross_entropy(model(x), y))
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        return loss, model[0].bias.sum()

    x, y = etude.randn(4, sizes[0]), etude.tensor([0, 1, 2, 0])
    step(x, y)
    return made(step, x, y, state=[model, opt])


@pytest.mark.parametrize("kind, name", [(optim.Adam, "adam"), (optim.SGD, "sgd")])
def test_a_large_layer_steps_with_its_gradient(kind, name):
    after = early(recorded_step(kind=kind))
    methods = [i.method for i in after.instructions]
    assert methods.index(f"linear_grad_{name}") < methods.index(f"{name}_steps")
    (step,) = (i for i in after.instructions if i.method == f"linear_grad_{name}")
    (rest,) = (i for i in after.instructions if i.method == f"{name}_steps")
    assert len(rest.arguments[0]) == 3
    assert step.arguments[2] not in rest.arguments[0]
    assert len(step.outputs) == 2


@pytest.mark.parametrize(
    "program",
    [
        lambda: recorded_step(clip=True),
        lambda: recorded_step(sizes=(256, 255)),
        lambda: recorded_step(lambda model, loss: loss + (model[0].weight ** 2).sum()),
        lambda: recorded_step(kind=optim.RMSprop),
    ],
    ids=["clipped", "small", "read twice", "another rule"],
)
def test_other_steps_wait(program):
    found = program()
    assert early(found) is found


def test_a_step_waits_for_who_reads_its_weights_and_for_indices_that_may_be_wrong():
    layer, rows = nn.Linear(512, 128), etude.tensor([0, 1])
    opt = optim.SGD(layer.parameters(), 0.1, 0.9)

    def step(x, look):
        opt.zero_grad()
        layer(x).sum().backward()
        seen = look(x)
        opt.step()
        return seen

    looks = {
        lambda x: x.sum(): True,
        lambda x: layer.weight.detach().sum(): False,
        lambda x: opt.state[layer.weight]["momentum_buffer"].sum(): False,
        lambda x: F.embedding(rows, x): False,
    }
    step(etude.ones(2, 512), etude.relu)
    state = [layer, opt, rows]
    for look, moves in looks.items():
        program = made(lambda x, look=look: step(x, look), etude.ones(2, 512), state=state)
        assert (early(program) is not program) == moves
