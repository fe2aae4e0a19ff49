"""Optimizer steps over many parameters in one launch; sums of squares and scaling for clipping.

    for each parameter of a group:                      blocks in proportion to its size
        for i in range(its size):                       four numbers a thread
            p[i], v[i], ... = rule(p[i], g[i], v[i], ...)

A network has many small parameters: ResNet-18 has 62, LeNet-5 has 10. The ladder for Adam:
    elementwise functions       12 launches for each parameter, and p, g, m, v go through memory
                                10 times
    a kernel for a parameter    one launch each; a small one fills no multiprocessor, and a launch
                                takes longer than its work
    a group of GROUP in one     4 launches for ResNet-18; p, m, v read and written once, g read
                                once: 28 bytes a number, the bound

A launch's arguments hold the pointers, so nothing is uploaded before a step. A block compares its
number with where each parameter's blocks begin; that is GROUP comparisons for 1024 numbers.

What changes between steps (rates, bias corrections) are arguments too, so a recorded step is
replayed with others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

from .elementwise import compiled
from .folding import add, block_folder
from .four import load4, store4
from .spec import TYPES, Kernel, cuda

BLOCK, EACH = 256, 4
GROUP = 16  # parameters of one launch
SQUARES = 16  # numbers of a thread where squares are summed


# the rules: new values of what is written, from all that is read ----------------------------------
def sgd(p, g, lr, momentum, fresh, decay, nesterov):
    """p -= lr g."""
    if decay != 0.0:
        g = g + decay * p
    return (p - lr * g,)


def sgd_velocity(p, g, v, lr, momentum, fresh, decay, nesterov):
    """v = momentum v + fresh g; p -= lr v, with Nesterov lr (g + momentum v)."""
    if decay != 0.0:
        g = g + decay * p
    v = momentum * v + fresh * g
    step = g + momentum * v if nesterov != 0.0 else v
    return p - lr * step, v


def adam(p, g, m, v, beta1, fresh1, beta2, fresh2, eps, shrink, decay, root, rate):
    """m, v: averages of g and g^2; p = shrink p - rate m / (sqrt(v) / root + eps)."""
    if decay != 0.0:
        g = g + decay * p
    m = beta1 * m + fresh1 * g
    v = beta2 * v + fresh2 * g * g
    return shrink * p - rate * m / (math.sqrt(v) / root + eps), m, v


def amsgrad(p, g, m, v, peak, beta1, fresh1, beta2, fresh2, eps, shrink, decay, root, rate):
    """Adam with the largest v so far under the root."""
    if decay != 0.0:
        g = g + decay * p
    m = beta1 * m + fresh1 * g
    v = beta2 * v + fresh2 * g * g
    peak = peak if peak >= v or peak != peak else v
    return shrink * p - rate * m / (math.sqrt(peak) / root + eps), m, v, peak


def rmsprop(p, g, square, lr, alpha, fresh, eps, decay, momentum):
    """square: average of g^2; p -= lr g / (sqrt(square) + eps)."""
    if decay != 0.0:
        g = g + decay * p
    square = alpha * square + fresh * g * g
    return p - lr * g / (math.sqrt(square) + eps), square


def rmsprop_mean(p, g, square, mean, lr, alpha, fresh, eps, decay, momentum):
    """The root is of square - mean^2."""
    if decay != 0.0:
        g = g + decay * p
    square = alpha * square + fresh * g * g
    mean = alpha * mean + fresh * g
    return p - lr * g / (math.sqrt(square - mean * mean) + eps), square, mean


def rmsprop_velocity(p, g, square, velocity, lr, alpha, fresh, eps, decay, momentum):
    """velocity = momentum velocity + the step; p -= lr velocity."""
    if decay != 0.0:
        g = g + decay * p
    square = alpha * square + fresh * g * g
    velocity = momentum * velocity + g / (math.sqrt(square) + eps)
    return p - lr * velocity, square, velocity


def rmsprop_both(p, g, square, mean, velocity, lr, alpha, fresh, eps, decay, momentum):
    """Both."""
    if decay != 0.0:
        g = g + decay * p
    square = alpha * square + fresh * g * g
    mean = alpha * mean + fresh * g
    velocity = momentum * velocity + g / (math.sqrt(square - mean * mean) + eps)
    return p - lr * velocity, square, mean, velocity


def adagrad(p, g, total, lr, eps, decay):
    """total += g^2; p -= lr g / (sqrt(total) + eps)."""
    if decay != 0.0:
        g = g + decay * p
    total = total + g * g
    return p - lr * g / (math.sqrt(total) + eps), total


class Rule(NamedTuple):
    """A step: its function, how many arrays it takes (the second, g, is only read), and numbers."""

    function: Callable[..., Any]
    arrays: int
    numbers: int


RULES = {
    f.__name__: Rule(f, arrays, numbers)
    for f, arrays, numbers in (
        (sgd, 2, 5),
        (sgd_velocity, 3, 5),
        (adam, 4, 9),
        (amsgrad, 5, 9),
        (rmsprop, 3, 6),
        (rmsprop_mean, 4, 6),
        (rmsprop_velocity, 4, 6),
        (rmsprop_both, 5, 6),
        (adagrad, 3, 3),
    )
}


def chosen(arrays: list[str], group: int) -> list[str]:
    """Lines that make `arrays`, n and b those of the parameter that the block is for."""
    names = ", ".join([*arrays, "n", "b"])
    lines = ["    b = cuda.blockIdx.x"]
    for k in range(group):
        own = ", ".join([*(f"{a}{k}" for a in arrays), f"n{k}", f"b - s{k}" if k else "b"])
        test = "else:" if k == group - 1 else f"{'elif' if k else 'if'} b < s{k + 1}:"
        lines += (
            [f"    {test}", f"        {names} = {own}"] if group > 1 else [f"    {names} = {own}"]
        )
    return lines


def group_arguments(arrays: list[str], group: int) -> list[str]:
    """Block starts of parameters 1, 2, ...; sizes; then each array of each parameter."""
    names = [f"s{k}" for k in range(1, group)] + [f"n{k}" for k in range(group)]
    return names + [f"{a}{k}" for k in range(group) for a in arrays]


@cache
def step(name: str, dtype: str, group: int) -> Kernel:
    """Arguments: the rule's numbers, then `group_arguments`; a block takes BLOCK * EACH numbers."""
    rule = RULES[name]
    arrays = ["p", "g", "u", "v", "w"][: rule.arrays]
    numbers = [f"c{k}" for k in range(rule.numbers)]
    written = [a for a in arrays if a != "g"]
    lines = [f"def kernel({', '.join(numbers + group_arguments(arrays, group))}):"]
    lines += chosen(arrays, group)
    lines.append(f"    i = {EACH} * (b * cuda.blockDim.x + cuda.threadIdx.x)")
    lines.append(f"    if i + {EACH} <= n:")
    for a in arrays:
        lines.append(f"        {', '.join(f'{a}_{u}' for u in range(EACH))} = load4({a}, i)")
    for u in range(EACH):
        given = ", ".join([*(f"{a}_{u}" for a in arrays), *numbers])
        lines.append(f"        {', '.join(f'{a}_{u}' for a in written)}, = rule({given})")
    for a in written:
        lines.append(f"        store4({a}, i, {', '.join(f'{a}_{u}' for u in range(EACH))})")
    given = ", ".join([*(f"{a}[i]" for a in arrays), *numbers])
    result = f"            {', '.join(f'{a}[i]' for a in written)}, = rule({given})"
    lines += ["    else:", *["        if i < n:", result, "        i += 1"] * (EACH - 1)]
    if len(written) > 1:
        lines = [line.replace(", = rule(", " = rule(") for line in lines]
    names = {"cuda": cuda, "load4": load4, "store4": store4, "rule": rule.function}
    return grouped(name, dtype, group, lines, names, rule.arrays, [dtype] * rule.numbers)


def grouped(
    name: str,
    dtype: str,
    group: int,
    lines: list[str],
    names: dict[str, Any],
    arrays: int,
    numbers: list[str],
    blocks: int | None = None,
) -> Kernel:
    label = f"{name}_of_{group}_{dtype}"
    function = compiled(label, "\n".join(lines) + "\n", names)
    counts = ["int32"] * (group - 1) + ["int64"] * group
    signature = (*numbers, *counts, *[dtype + "*"] * (arrays * group))
    narrow = dtype == "float32"
    return Kernel(label, function, signature, (BLOCK, 1, 1), blocks=blocks, narrow=narrow)


@cache
def scale(dtype: str, group: int) -> Kernel:
    """y = x s[0]. Arguments: s, then `group_arguments` of y and x."""
    lines = [f"def kernel({', '.join(['s', *group_arguments(['y', 'x'], group)])}):"]
    lines += chosen(["y", "x"], group)
    lines += [
        "    f = s[0]",
        f"    i = {EACH} * (b * cuda.blockDim.x + cuda.threadIdx.x)",
        f"    if i + {EACH} <= n:",
        "        p, q, r, t = load4(x, i)",
        "        store4(y, i, p * f, q * f, r * f, t * f)",
        "    else:",
        *["        if i < n:", "            y[i] = x[i] * f", "        i += 1"] * (EACH - 1),
    ]
    names = {"cuda": cuda, "load4": load4, "store4": store4}
    return grouped("scale", dtype, group, lines, names, 2, [dtype + "*"])


@cache
def squares(dtype: str, group: int) -> Kernel:
    """out[begin + block] = the sum of x^2 over a block's BLOCK * SQUARES numbers.

    Arguments: out, begin, then `group_arguments` of x.
    """
    T = TYPES[dtype]
    lines = [f"def kernel({', '.join(['out', 'begin', *group_arguments(['x'], group)])}):"]
    lines += chosen(["x"], group)
    lines += [
        "    y = T(0.0)",
        f"    first = {SQUARES} * b * cuda.blockDim.x + {EACH} * cuda.threadIdx.x",
        f"    for k in range({SQUARES // EACH}):",
        f"        i = first + k * {EACH} * cuda.blockDim.x",
        f"        if i + {EACH} <= n:",
        "            p, q, r, t = load4(x, i)",
        "            y += p * p + q * q + (r * r + t * t)",
        "        else:",
        "            while i < n:",
        "                y += x[i] * x[i]",
        "                i += 1",
        "    y = fold(y)",
        "    if cuda.threadIdx.x == 0:",
        "        out[begin + cuda.blockIdx.x] = y",
    ]
    names = {"cuda": cuda, "load4": load4, "T": T, "fold": block_folder(add, 0.0, dtype)}
    blocks = 6 if dtype == "float32" else None  # with 40 registers; it could do with 48
    return grouped("squares", dtype, group, lines, names, 1, [dtype + "*", "int32"], blocks)


def catalogue() -> Iterator[Kernel]:
    """Every rule for one parameter, the commonest for a group."""
    for name in RULES:
        yield step(name, "float32", 1)
    for name in ("sgd", "sgd_velocity", "adam"):
        yield step(name, "float32", GROUP)
    yield scale("float32", GROUP)
    yield squares("float32", GROUP)
    yield squares("float64", 1)
