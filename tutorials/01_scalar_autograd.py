# %% [markdown]
# # 1. Autograd for single numbers
#
# To train a network is to ask, for each of its numbers: if this one grew a little, how would the
# error change? The answers are derivatives. Here you build the machine that computes them, for any
# program, and then compare it with the file that does the same for tensors in etude.
#
# You need to know Python, and what a derivative is. In the student's version code is missing
# between `### BEGIN SOLUTION` and `### END SOLUTION`; the cell after each exercise tests yours.
# Definitions under `# etude: FILE::NAMES` are, word for word, those in that file of etude.

# %%
from __future__ import annotations

import heapq
import math
import operator
import os
from collections.abc import Callable
from contextlib import ContextDecorator
from contextvars import ContextVar, Token
from itertools import count
from typing import Any

BACKEND = {name: getattr(math, name) for name in ("exp", "log", "sin", "cos")}
BACKEND |= {name: getattr(operator, name) for name in ("neg", "add", "sub", "mul")}
BACKEND["div"] = operator.truediv

# %% [markdown]
# ## A slow answer that is easy to trust
#
# The slope of $f$ at $x$ can be measured: step to both sides and divide,
#
# $$f'(x) \approx \frac{f(x + h) - f(x - h)}{2h}.$$
#
# The error of this *central difference* shrinks like $h^2$; that of a step to one side like $h$.
# A very small $h$ loses digits in the subtraction; $10^{-5}$ is a fair choice. With a million
# parameters $f$ would run two million times: too slow for training, ideal for tests.
#
# **Exercise 1.** Write the central difference.


# %%
def slope(f: Callable[[float], float], x: float, h: float = 1e-5) -> float:
    """The derivative of f at x, measured by a step of h to either side."""
    ### BEGIN SOLUTION
    return (f(x + h) - f(x - h)) / (2.0 * h)
    ### END SOLUTION


# %%
found = slope(lambda x: x * x, 1.0, h=0.5)
assert found == 2.0, f"on x^2 steps to both sides give exactly 2.0, slope gives {found}"
found = slope(lambda x: x * x * x, 2.0)
assert abs(found - 12.0) < 1e-6, f"x^3 has the slope 3 x^2 = 12 at 2, slope gives {found}"

# %% [markdown]
# ## The chain rule, module by module
#
# Instead of measuring, compute. Cut the program into small *modules*, each with a derivative that
# is known. If $a_{l+1}$ is computed from $a_l$, and $\mathcal{L}$ is the error at the end,
#
# $$\frac{\partial \mathcal{L}}{\partial a_l} =
#   \frac{\partial a_{l+1}}{\partial a_l} \cdot \frac{\partial \mathcal{L}}{\partial a_{l+1}}.$$
#
# So a module has to know two things: how to compute its value, and how to turn the gradient `g` of
# its output into that of its input. It need not know its neighbours (lecture D3, "Backpropagation
# in practice"; for vectors the first factor is a transposed Jacobian). This is *back-propagation*
# (Rumelhart, Hinton & Williams, Nature 323, 1986). All gradients together cost a small multiple of
# one run of the program, however many there are (Baydin et al., JMLR 18, 2018, section 3.2).
#
# In etude such a module is an `Op`; its `vjp` (vector-Jacobian product) turns `g` around, with one
# rule for each input; an input that needs no gradient, such as a plain number, is skipped. An op
# says by name what to compute; a *backend*, which can be replaced, knows how: here it is the table
# above. (`result` is for tensors; here it does nothing.)


# %%
class Op:
    """One operation: its value, and a gradient rule (g, y, *inputs) for each input."""

    def __init__(self, name: str, rules: tuple[Any, ...], keeps_output: bool) -> None:
        self.name, self.rules, self.keeps_output = name, rules, keeps_output

    def forward(self, *values: float) -> float:
        return BACKEND[self.name](*values)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> list[Scalar | None]:
        return [f(g, y, *inputs) if needs(x) else None for f, x in zip(self.rules, inputs)]

    def __call__(self, *inputs: Any) -> Scalar:
        return apply(self, *inputs)


class Unary(Op):
    def __init__(self, name: str, grad: Any, result: str = "float", keeps_output: bool = True):
        super().__init__(name, (grad,), keeps_output)


class Binary(Op):
    def __init__(
        self, name: str, grad_a: Any, grad_b: Any, result: str = "same", keeps_output: bool = False
    ):
        super().__init__(name, (grad_a, grad_b), keeps_output)


# %% [markdown]
# ## A number that remembers
#
# A `Scalar` holds a value and, in `node`, where it came from. Its operators call ops, made below.


# %%
class Scalar:
    """A number that knows how it was computed."""

    node: Node | None = None

    def __init__(self, value: float, requires_grad: bool = False) -> None:
        self.value, self.requires_grad = value, requires_grad

    def __repr__(self) -> str:
        return f"Scalar({self.value:.6g})"


Scalar.__neg__ = lambda a: NEG(a)
Scalar.__add__ = Scalar.__radd__ = lambda a, b: ADD(a, b)
Scalar.__sub__ = lambda a, b: SUB(a, b)
Scalar.__rsub__ = lambda b, a: SUB(a, b)  # Python calls it for 1.0 - b
Scalar.__mul__ = Scalar.__rmul__ = lambda a, b: MUL(a, b)
Scalar.__truediv__ = lambda a, b: DIV(a, b)
Scalar.__rtruediv__ = lambda b, a: DIV(a, b)

# %% [markdown]
# A `Node` says which op was applied to which inputs, and *when*: `tick()` gives 1, 2, 3, and so on.
# `saved` is the result, if the rule reads it: that of `exp` does, for $(e^x)' = e^x$. It is the
# plain value, for a node that held its own output would be a cycle in memory; `output` makes the
# output anew, at its old place in the graph. `specs` are shapes and dtypes; a scalar has none.


# %%
# etude: framework/autograd.py::tick, Node.__init__, needs
tick = count(1).__next__  # one clock orders nodes


class Node:
    """One recorded application of an op."""

    def __init__(self, op: Op, inputs: tuple[Any, ...], order: int, saved: Any, specs: Any) -> None:
        self.op = op
        self.inputs: tuple[Any, ...] | None = inputs
        self.order = order
        self.saved = saved
        self.specs = specs


def needs(x: Any) -> bool:
    """Whether a vjp must give a gradient for this input."""
    return getattr(x, "requires_grad", False)


def output(node: Node) -> Scalar | None:
    """The output that the op kept, or None."""
    y = Scalar(node.saved, requires_grad=True)
    y.node = node
    return y if node.op.keeps_output else None


# %% [markdown]
# Recording costs time and memory, so it has a switch. A `ContextVar` is a global variable of which
# each thread has its own; the list of tokens lets one switch be entered repeatedly.


# %%
# etude: framework/autograd.py::recording, set_grad_enabled
recording: ContextVar[bool] = ContextVar("recording", default=True)


class set_grad_enabled(ContextDecorator):
    """Record the graph inside this context or decorated function, or do not."""

    def __init__(self, mode: bool) -> None:
        self.mode = mode
        self.tokens: list[Token[bool]] = []

    def __enter__(self) -> None:
        self.tokens.append(recording.set(self.mode))

    def __exit__(self, *_: object) -> None:
        recording.reset(self.tokens.pop())

    def _recreate_cm(self) -> set_grad_enabled:
        return set_grad_enabled(self.mode)  # threads may call a decorated function at once


# %% [markdown]
# Every operation goes through `apply`: compute the value and, if wanted, leave a node behind.
#
# **Exercise 2.** If recording is on and some input needs a gradient, `out` requires a gradient too
# and gets a `Node`, which saves the value if the op keeps its output. Three ops are given.


# %%
def apply(op: Op, *inputs: Any) -> Scalar:
    """Run an op and record it if an input requires a gradient."""
    out = Scalar(op.forward(*[getattr(x, "value", x) for x in inputs]))
    ### BEGIN SOLUTION
    if any(map(needs, inputs)) and recording.get():
        out.requires_grad = True
        out.node = Node(op, inputs, tick(), out.value if op.keeps_output else None, None)
    ### END SOLUTION
    return out


# etude: framework/ops/derivatives.py::NEG, ADD, EXP
NEG: Unary = Unary("neg", lambda g, y, x: NEG(g), "same", False)
ADD: Binary = Binary("add", lambda g, y, a, b: g, lambda g, y, a, b: g)
EXP: Unary = Unary("exp", lambda g, y, x: g * y)

# %%
x = Scalar(3.0, requires_grad=True)
y = x + 2.0
assert y.node is not None, "x requires a gradient, so x + 2 must get a node"
assert y.requires_grad, "y depends on x, so it requires a gradient too"
assert y.node.inputs == (x, 2.0), f"the node's inputs are x and 2.0, not {y.node.inputs}"
assert y.node.saved is None, "add does not keep its output: see op.keeps_output"
assert EXP(x).node.saved == math.exp(3.0), "exp keeps its output: save the value in the node"
assert (-y).node.order > y.node.order, "later nodes have larger numbers: ask tick()"
assert (Scalar(1.0) + 2.0).node is None, "no input needs a gradient: there is nothing to record"
with set_grad_enabled(False):
    assert (x + 2.0).node is None, "the switch is off, do not record: ask recording.get()"

# %% [markdown]
# ## The table of derivatives
#
# A rule gets `g`, the result `y` and the inputs, and returns `g` times the derivative. It is
# written **in terms of ops**, not of plain numbers. So a gradient is itself recorded, and can be
# differentiated again, without one more line of code.
#
# **Exercise 3.** Complete the table. A rule that reads `y` needs `keeps_output=True`, the last
# argument and the default of `Unary`. (For `DIV`: $\partial (a / b) / \partial b = -y / b$.)

# %%
# etude: framework/ops/derivatives.py::SUB, MUL, DIV, LOG, SIN, COS
SUB: Binary = Binary("sub", lambda g, y, a, b: g, lambda g, y, a, b: NEG(g))
### BEGIN SOLUTION
MUL: Binary = Binary("mul", lambda g, y, a, b: MUL(g, b), lambda g, y, a, b: MUL(g, a))
DIV: Binary = Binary(
    "div", lambda g, y, a, b: DIV(g, b), lambda g, y, a, b: NEG(DIV(g, b) * y), "float", True
)
LOG: Unary = Unary("log", lambda g, y, x: g / x, keeps_output=False)
SIN: Unary = Unary("sin", lambda g, y, x: g * COS(x), keeps_output=False)
COS: Unary = Unary("cos", lambda g, y, x: NEG(g * SIN(x)), keeps_output=False)
### END SOLUTION


# %%
def check_rule(op: Op, *values: float) -> None:
    """Compare what the rules of op give for g = 2 with measured slopes."""
    inputs = [Scalar(value, requires_grad=True) for value in values]
    gradients = op.vjp(Scalar(2.0), output(op(*inputs).node), *inputs)
    for i, gx in enumerate(gradients):
        assert needs(gx), f"{op.name}, input {i}: {gx} is not recorded, write the rule in ops"
        measured = slope(lambda v, i=i: op.forward(*values[:i], v, *values[i + 1 :]), values[i])
        close = abs(gx.value - 2.0 * measured) < 1e-6
        assert close, f"{op.name}, input {i}: the rule gives {gx}, not 2 x {measured:.6g}"


for op in (MUL, DIV):
    check_rule(op, 0.7, 1.3)
for op in (EXP, LOG, SIN, COS):
    check_rule(op, 0.7)

# %% [markdown]
# ## The sweep
#
# If `y` is used twice, two gradients arrive at it, and it may pass on only their sum: the sum in
# lecture D0's rule for a hidden neuron, $\delta_i = g'(a_i) \sum_l w_{l,i} \delta_l$. So a node
# has to wait for all its users. The clock knows the order: the inputs of an op are older than its
# output, so **newest first** is always right. A heap hands out the newest node that has received
# something. Nothing here is recursive: graphs may be deep.
#
# **Exercise 4.** Write both methods. `send`: a leaf (it has no node) collects its gradients in
# `leaves`. A node collects them in `arrived`, and enters `waiting` as `(-node.order, node)` with
# the first. `run`: as long as nodes wait, take the newest, ask its op's `vjp` (with
# `output(node)` for `y`), and send on what is due to each input that needs a gradient.


# %%
class Sweep:
    """One backward pass: nodes that wait, gradients that have arrived."""

    def __init__(self) -> None:
        self.waiting: list[tuple[int, Node]] = []
        self.arrived: dict[Node, Scalar] = {}
        self.leaves: dict[Scalar, Scalar] = {}

    def send(self, x: Scalar, g: Scalar) -> None:
        """Deliver the gradient g to x."""
        ### BEGIN SOLUTION
        node = x.node
        if node is None:
            self.leaves[x] = self.leaves[x] + g if x in self.leaves else g
        elif node in self.arrived:
            self.arrived[node] = self.arrived[node] + g
        else:
            heapq.heappush(self.waiting, (-node.order, node))
            self.arrived[node] = g
        ### END SOLUTION

    def run(self) -> None:
        """Visit every waiting node, newest first."""
        ### BEGIN SOLUTION
        while self.waiting:
            node = heapq.heappop(self.waiting)[1]
            g = self.arrived.pop(node)
            for x, gx in zip(node.inputs, node.op.vjp(g, output(node), *node.inputs)):
                if needs(x):
                    self.send(x, gx)
        ### END SOLUTION


# %%
def grad(y: Scalar, xs: list[Scalar], create_graph: bool = False) -> tuple[Scalar, ...]:
    """The gradients of y for the leaves xs (0 for one that took no part), recorded or not."""
    sweep = Sweep()
    with set_grad_enabled(create_graph):
        sweep.send(y, Scalar(1.0))
        sweep.run()
    return tuple(sweep.leaves.get(x, Scalar(0.0)) for x in xs)


x = Scalar(3.0, requires_grad=True)
square, sweep = x * x, Sweep()
sweep.send(square, Scalar(1.0))
sweep.send(newer := -square, Scalar(1.0))
assert sweep.waiting, "a node that has received a gradient waits for its turn"
assert sweep.waiting[0][1] is newer.node, "the newest node is the next: push (-node.order, node)"
wide, deep = x, x
for _ in range(50):
    wide = wide + wide
for _ in range(20_000):
    deep = deep + x
for y, expected, hint in [
    (square, 6.0, "(x^2)' = 2 x: a leaf adds what arrives"),
    (square * square + square, 114.0, "(x^4 + x^2)' = 4 x^3 + 2 x: a node adds what arrives"),
    (2.0 * EXP(x), 2.0 * math.exp(3.0), "the rule of exp reads y: pass output(node)"),
    (wide, 2.0**50, "2^50 paths but 50 nodes: visit each once"),
    (deep, 20_001.0, "20,000 nodes in a chain"),
]:
    (g,) = grad(y, [x])
    assert g.value == expected, f"expected {expected}, got {g.value}; {hint}"

# %% [markdown]
# ## Derivatives of derivatives
#
# **Exercise 5.** Take the gradient of `y`, then the gradient of that, and so on, `order` times.
# Each has to be recorded for the next: `create_graph=True`. The test is a *gradient check*: every
# derivative against the measured slope of the one below it. It finds a wrong rule at once.


# %%
def derivative(f: Callable[[Scalar], Scalar], x: float, order: int = 1) -> float:
    """The derivative of f at x, of any order; order 0 is f(x)."""
    leaf = Scalar(x, requires_grad=True)
    y = f(leaf)
    ### BEGIN SOLUTION
    for _ in range(order):
        (y,) = grad(y, [leaf], create_graph=True)
    ### END SOLUTION
    return y.value


# %%
def gradcheck(f: Callable[[Scalar], Scalar], x: float, order: int = 1) -> bool:
    """Whether a derivative agrees with differences of the one below it."""
    measured = slope(lambda v: derivative(f, v, order - 1), x)
    return math.isclose(derivative(f, x, order), measured, rel_tol=1e-6, abs_tol=1e-6)


def sigmoid(x: Scalar) -> Scalar:
    """1 / (1 + e^-x), between 0 and 1."""
    return 1.0 / (1.0 + EXP(-x))


found = [derivative(lambda x: x * x * x, 2.0, order) for order in range(5)]
assert found == [8.0, 12.0, 12.0, 6.0, 0.0], f"x^3, 3 x^2, 6 x, 6, 0 are expected, not {found}"
for f in (sigmoid, lambda x: SIN(x * x) / x, lambda x: LOG(x + 3.0) * COS(x) - x):
    for order in (1, 2, 3):
        assert all(gradcheck(f, x, order) for x in (-2.0, 0.5, 1.7)), f"order {order} is wrong"
BAD_SIN = Unary("sin", lambda g, y, x: g * SIN(x), keeps_output=False)
assert not gradcheck(BAD_SIN, 0.5), "BAD_SIN has a wrong rule, and the check must see it"

# %% [markdown]
# ## Look at it
#
# In the figure $\sigma'$ is at most 1/4, so through ten sigmoids comes at most a millionth of the
# gradient: the *vanishing gradient* of lecture D0. If the environment variable `ETUDE_FIGURES`
# names a folder, the figure is saved there. Without matplotlib there is none.


# %%
def draw() -> None:
    """The sigmoid and its first two derivatives."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    xs = [i / 10.0 for i in range(-60, 61)]
    for order, label in enumerate((r"$\sigma$", r"$\sigma'$", r"$\sigma''$")):
        axes.plot(xs, [derivative(sigmoid, x, order) for x in xs], label=label)
    axes.set(title="The sigmoid and its derivatives, by this chapter", xlabel="x")
    axes.legend()
    if folder := os.environ.get("ETUDE_FIGURES"):
        os.makedirs(folder, exist_ok=True)
        figure.savefig(os.path.join(folder, "01_scalar_autograd.png"), dpi=120)
    elif plt.get_backend().lower() == "agg":
        print("no display: set ETUDE_FIGURES to a folder to keep the figure")
    else:
        plt.show()


try:
    draw()
except ImportError as missing:
    print(f"no figure: {missing} (pip install matplotlib)")

# %% [markdown]
# ## The library's own file
#
# Open `framework/autograd.py`: it has `tick`, `Node`, `needs`, `recording` and `apply`; the sweep
# is in `framework/sweep.py`, the rest of the table in `framework/ops/derivatives.py`. Tensors add
# shapes, dtypes and backends, ops with several outputs, and an error for changed inputs.


# %%
def by_etude(x: float, order: int) -> float:
    """`derivative` of sin(x) e^(-x), computed by etude."""
    import etude

    leaf = etude.tensor(x, dtype=etude.float64, requires_grad=True)
    y = etude.sin(leaf) * etude.exp(-leaf)
    for _ in range(order):
        (y,) = etude.grad(y, leaf, create_graph=True)
    return y.item()


for order in range(4):
    ours, theirs = derivative(lambda x: SIN(x) * EXP(-x), 0.7, order), by_etude(0.7, order)
    print(f"order {order}: chapter {ours:+.12f}, etude {theirs:+.12f}")
    assert math.isclose(ours, theirs, rel_tol=1e-12), "the chapter and the library must agree"
