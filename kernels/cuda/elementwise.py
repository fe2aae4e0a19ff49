"""Chains of elementwise functions in one sweep: a single function, a cast, or a fused expression.

    for i in range(n):                                  a thread for each i, or each four
        r = load(x[i]), load(b[i % columns]), ...       what is read, by how it lies (`modes`)
        s = f(r); t = g(s, r); ...                      the steps, in registers
        y[i] = t                                        the results

A kernel is written as source for each chain: the steps unrolled, no table and no interpreter. Plain
numbers are arguments, so another learning rate is the same kernel.

Why it is as fast as memory: neighbouring threads touch neighbouring addresses, so a warp's 32 loads
are one request; each value is read once and written once, whatever the number of steps; a thread
has four elements under way at once, loaded before the first is used.

The ladder, in bytes of memory for relu(a * x + b), n elements of float32:
    one kernel for each function, a thread for each element     3 kernels, 28 n bytes
    one kernel for the chain                                    1 kernel,  16 n bytes
    four elements a thread, by 128-bit loads (four.py)          a quarter of the instructions
    an operand that repeats is one load for four elements       bias, scale: no memory at all

An operand moves along all axes (FULL), along none (SINGLE), or along those whose bit is set. Axes
are merged by the caller, so a bias on rows is rank 2 whatever the tensors' rank; coordinates come
from the index by multiplication (divide.py), once for four elements where the last axis allows.
"""

from __future__ import annotations

import linecache
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from typing import Any, NamedTuple

from ..scalar import BOOL_RESULT
from . import functions
from .divide import MAGIC, quotient_of
from .four import load4, store4
from .spec import TYPES, Kernel, cuda

FULL, SINGLE = -1, 0
BLOCK, EACH = 256, 4
NUMBER = {"float32": "float32", "float64": "float64"}  # as what a plain number comes; else int64


class Step(NamedTuple):
    """name of `kind` (unary, binary, where, cast) on operands of `dtype`.

    An operand k >= 0 is a register, -1 - k is plain number k.
    """

    kind: str
    name: str
    operands: tuple[int, ...]
    dtype: str
    result: str


class Chain(NamedTuple):
    """What a kernel is made from: dtypes and modes of the inputs, steps, registers to be stored.

    rank: of the merged axes. wide: four neighbours a thread, for which the last axis' size and all
    strides of other axes have to be multiples of four (unless every mode is FULL or SINGLE). long:
    for 2^31 numbers and more.
    """

    inputs: tuple[str, ...]
    modes: tuple[int, ...]
    steps: tuple[Step, ...]
    results: tuple[int, ...]
    numbers: tuple[str, ...] = ()
    rank: int = 1
    wide: bool = True
    long: bool = False


def moving(chain: Chain) -> list[tuple[int, int]]:
    """(input, axis) of every stride that the kernel takes, in order."""
    return [
        (k, axis)
        for k, mode in enumerate(chain.modes)
        if mode not in (FULL, SINGLE)
        for axis in range(chain.rank)
        if mode >> axis & 1
    ]


def dtypes(chain: Chain) -> list[str]:
    """Of every register."""
    return [*chain.inputs, *(step.result for step in chain.steps)]


def plain(chain: Chain) -> Chain:
    """An equal chain in plain types, whose text is always the same: a name may be a DType."""
    steps = [
        Step(str(s.kind), str(s.name), tuple(map(int, s.operands)), str(s.dtype), str(s.result))
        for s in chain.steps
    ]
    inputs, numbers = (tuple(map(str, names)) for names in (chain.inputs, chain.numbers))
    modes, results = (tuple(map(int, places)) for places in (chain.modes, chain.results))
    flags = int(chain.rank), bool(chain.wide), bool(chain.long)
    return Chain(inputs, modes, tuple(steps), results, numbers, *flags)


@cache
def kernel(chain: Chain) -> Kernel:
    """Arguments: n; results; inputs; numbers; magic, shift and size of axes 1, 2, ...; strides.

    Strides are those of `moving`. Blocks of BLOCK threads, each with EACH elements.
    """
    source, names, signature = Writer(chain).write()
    label = "chain_" + "_".join([step.name for step in chain.steps][:4])
    label += f"_{chain.inputs[0]}_{sha256(repr(plain(chain)).encode()).hexdigest()[:12]}"
    narrow = "float64" not in dtypes(chain)
    function = compiled(label, source, names)
    return Kernel(label, function, signature, (BLOCK, 1, 1), narrow=narrow, contract=False)


def compiled(label: str, source: str, names: dict[str, Any]) -> Any:
    """The function `kernel` of a source, which tracebacks can show."""
    place = f"<etude cuda {label}>"
    linecache.cache[place] = len(source), None, source.splitlines(True), place
    names["__name__"] = __name__
    exec(compile(source, place, "exec"), names)
    names["kernel"].__qualname__ = label
    return names["kernel"]


class Writer:
    """The source of a chain's kernel."""

    def __init__(self, chain: Chain) -> None:
        self.chain, self.types = chain, dtypes(chain)
        self.index = "int64" if chain.long else "int32"
        self.names: dict[str, Any] = {"cuda": cuda, "quotient": quotient_of(self.index)}
        self.names |= {"load4": load4, "store4": store4, **TYPES}
        self.lines: list[str] = []

    def put(self, depth: int, *lines: str) -> None:
        self.lines += ["    " * depth + line for line in lines]

    def write(self) -> tuple[str, dict[str, Any], tuple[str, ...]]:
        chain, index = self.chain, self.index
        arguments = [("n", index)]
        outs = [f"y{k}" for k in range(len(chain.results))]
        arguments += [(y, self.types[r] + "*") for y, r in zip(outs, chain.results, strict=True)]
        arguments += [(f"x{k}", t + "*") for k, t in enumerate(chain.inputs)]
        arguments += [(f"c{k}", NUMBER.get(t, "int64")) for k, t in enumerate(chain.numbers)]
        for axis in range(1, chain.rank):
            arguments += zip((f"m{axis}", f"s{axis}", f"d{axis}"), (*MAGIC[index], index))
        arguments += [(f"t{k}_{axis}", index) for k, axis in moving(chain)]
        self.put(0, f"def kernel({', '.join(name for name, _ in arguments)}):")
        for k, mode in enumerate(chain.modes):
            if mode == SINGLE:
                self.put(1, f"r{k} = x{k}[0]")
        if chain.wide:
            self.wide()
        else:
            self.scattered()
        return "\n".join(self.lines) + "\n", self.names, tuple(kind for _, kind in arguments)

    def wide(self) -> None:
        """Four neighbours, and what is left of n by itself."""
        chain = self.chain
        self.put(1, f"i = {EACH} * (cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x)")
        self.put(1, f"if i + {EACH} <= n:")
        self.offsets(2, "i", "")
        last = 1 << (chain.rank - 1)
        for k, mode in enumerate(chain.modes):
            if mode == FULL or mode & last:
                four = ", ".join(f"r{k}_{u}" for u in range(EACH))
                self.put(2, f"{four} = load4(x{k}, {'i' if mode == FULL else f'o{k}'})")
            elif mode != SINGLE:
                self.put(2, f"r{k} = x{k}[o{k}]")
        for u in range(EACH):
            for at in range(len(chain.steps)):
                self.step(2, at, u, wide=True)
        for y, r in enumerate(chain.results):
            four = ", ".join(f"r{r}_{u}" for u in range(EACH))
            self.put(2, f"store4(y{y}, i, {four})")
        if chain.rank == 1:
            self.put(1, "else:")
            self.tail("1")

    def scattered(self) -> None:
        """Four elements a block apart: loads of all, then the steps and stores of each."""
        self.put(1, f"i = {EACH} * cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x")
        self.put(1, f"if i + {EACH - 1} * cuda.blockDim.x < n:")
        for u in range(EACH):
            self.put(2, f"i{u} = i + {u} * cuda.blockDim.x")
            self.loads(2, f"i{u}", str(u))
        for u in range(EACH):
            self.finish(2, f"i{u}", u)
        self.put(1, "else:")
        self.tail("cuda.blockDim.x")

    def tail(self, step: str) -> None:
        """Fewer than EACH elements, written out: a loop would be unrolled into many more."""
        for _ in range(EACH - 1):
            self.put(2, "if i < n:")
            self.loads(3, "i", "0")
            self.finish(3, "i", 0)
            self.put(2, f"i += {step}")

    def loads(self, depth: int, i: str, u: str) -> None:
        """r<k>_<u> = what input k has for element i."""
        self.offsets(depth, i, u)
        for k, mode in enumerate(self.chain.modes):
            if mode != SINGLE:
                self.put(depth, f"r{k}_{u} = x{k}[{i if mode == FULL else f'o{k}{u}'}]")

    def finish(self, depth: int, i: str, u: int) -> None:
        """The steps of element i, and its results."""
        for at in range(len(self.chain.steps)):
            self.step(depth, at, u, wide=False)
        for y, r in enumerate(self.chain.results):
            self.put(depth, f"y{y}[{i}] = r{r}_{u}")

    def offsets(self, depth: int, i: str, u: str) -> None:
        """o<k><u> = where input k has element i: its coordinates times its strides."""
        chain, strides = self.chain, set(moving(self.chain))
        inputs = sorted({k for k, _ in strides})
        if not inputs:
            return
        terms: dict[int, list[str]] = {k: [] for k in inputs}
        rest = i
        for axis in range(chain.rank - 1, -1, -1):
            place = rest
            if axis:
                whole = f"q{axis}{u}"
                self.put(depth, f"{whole} = quotient({rest}, m{axis}, s{axis})")
                place = f"({rest} - {whole} * d{axis})"
                rest = whole
            users = [k for k in inputs if (k, axis) in strides]
            if users:
                self.put(depth, f"p{axis}{u} = {place}")
            for k in users:
                terms[k].append(f"p{axis}{u} * t{k}_{axis}")
        for k in inputs:
            self.put(depth, f"o{k}{u} = {' + '.join(terms[k])}")

    def name(self, operand: int, u: int, wide: bool) -> str:
        """What an operand is called in element u."""
        if operand < 0:
            return f"c{-1 - operand}"
        if operand < len(self.chain.inputs):
            mode = self.chain.modes[operand]
            last = mode == FULL or mode >> (self.chain.rank - 1) & 1
            if mode == SINGLE or (wide and not last):
                return f"r{operand}"
        return f"r{operand}_{u}"

    def step(self, depth: int, at: int, u: int, wide: bool) -> None:
        step = self.chain.steps[at]
        r = f"r{len(self.chain.inputs) + at}_{u}"
        given = [self.name(o, u, wide) for o in step.operands]
        if step.kind == "where":
            a, b = (f"{step.dtype}({x})" for x in given[1:])
            self.put(depth, f"{r} = {a} if {given[0]} else {b}")
            return
        F = step.dtype if step.dtype in functions.FLOATS else "int64"
        values = [f"{F}({x})" for x in given]
        if step.kind == "cast":
            call = values[0]
            caster = functions.caster(step.dtype, step.result)
            if caster is not None:
                self.names[caster.__name__] = caster
                call = f"{caster.__name__}({call})"
        else:
            self.names[f"f{at}"] = functions.function(step.name, step.dtype)
            call = f"f{at}({', '.join(values)})"
        if step.result == "bool":
            whole = step.kind == "cast" or step.name not in BOOL_RESULT
            self.put(depth, f"{r} = {call} != {F}(0)" if whole else f"{r} = boolean({call})")
        else:
            self.put(depth, f"{r} = {step.result}({call})")


def single(kind: str, name: str, dtype: str, operands: int, result: str | None = None) -> Chain:
    """One function of inputs that all have the full shape."""
    kinds = tuple("bool" if kind == "where" and k == 0 else dtype for k in range(operands))
    found = result or ("bool" if name in BOOL_RESULT else dtype)
    steps = (Step(kind, name, tuple(range(operands)), dtype, found),)
    return Chain(kinds, (FULL,) * operands, steps, (operands,))


def catalogue() -> Iterator[Kernel]:
    """A cheap and a dear function, repeated operands, each way to walk, a cast and a chain."""
    yield kernel(single("binary", "add", "float32", 2))
    yield kernel(single("unary", "gelu", "float32", 1))
    yield kernel(single("binary", "pow", "float32", 2))
    yield kernel(single("binary", "add", "float64", 2))
    yield kernel(single("where", "where", "float32", 3))
    yield kernel(single("cast", "int32", "float32", 1, "int32"))
    add = Step("binary", "add", (0, 1), "float32", "float32")
    bias = Chain(("float32", "float32"), (FULL, 0b10), (add,), (2,), (), 2)
    yield kernel(bias)
    yield kernel(bias._replace(long=True))
    yield kernel(bias._replace(modes=(FULL, 0b010), rank=3, wide=False))
    scaled = Step("binary", "mul", (2, -1), "float32", "float32")
    chain = (add, scaled, Step("unary", "tanh", (3,), "float32", "float32"))
    yield kernel(bias._replace(steps=chain, results=(2, 4), numbers=("float32",)))
