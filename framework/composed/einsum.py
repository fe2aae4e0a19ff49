"""Einstein summation, as batched matrix products.

Each operand's axes get labels. A repeated label takes the diagonal; then the operands are joined
from left to right, and in each step labels that nothing later needs are summed: those of one
operand alone at once, those that both have by one batched matrix product.
"""

from __future__ import annotations

from collections import Counter
from math import prod
from string import ascii_letters
from typing import TYPE_CHECKING, Any

from ..dtypes import promote
from ..errors import ArgumentError, ShapeError, fail
from ..guard import came
from ..ops.layout import diagonal, expand, permute, reshape
from ..ops.matmul import matmul
from ..ops.reduce import sum_
from .joining import each

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = ["einsum"]

Labels = list[str]
Part = tuple["Tensor", Labels]
OP = "einsum"


def einsum(equation: Any, *operands: Any) -> Tensor:
    """Products summed over labelled axes: einsum("bij,bjk->bik", a, b) is a batched product.

    A label in two operands multiplies along it, one that the output lacks is summed, one twice in
    an operand takes its diagonal. "..." stands for the axes that have no label, which broadcast.
    Without "->" the output has the labels that occur once, in alphabetical order. Axes of size 1
    broadcast. Operands with lists of numbers as labels, `einsum(a, [0, 1], b, [1, 2], [0, 2])`, do
    too.
    """
    if isinstance(equation, str):
        given = operands[0] if len(operands) == 1 else operands
        tensors = each(OP, given if isinstance(given, (list, tuple)) else [given])
        terms, output = _parse(equation, tensors)
    else:
        tensors, terms, output = _from_lists((equation, *operands))
    labels = [_labelled(term, x) for term, x in zip(terms, tensors, strict=True)]
    wanted = _output(output, labels)
    return _contract(_prepared(tensors, labels), wanted)


# reading ------------------------------------------------------------------------------------------
def _parse(equation: str, tensors: list[Tensor]) -> tuple[list[Labels], Labels | None]:
    """The terms of the equation as labels, "..." among them, and of the output if it is given."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = [_split(term, equation) for term in left.split(",")]
    if len(terms) != len(tensors):
        raise fail(
            ArgumentError,
            OP,
            f"{equation!r} has {len(terms)} terms, expected one for each operand, {len(tensors)}; "
            "put a comma between the terms",
        )
    return terms, _split(right, equation) if arrow else None


def _split(term: str, equation: str) -> Labels:
    before, dots, after = term.partition("...")
    labels = [*before, *(["..."] if dots else []), *after]
    if any(c not in ascii_letters for c in before + after):
        raise fail(
            ArgumentError,
            OP,
            f"expected letters, one '...' a term, ',' and '->', got {term!r} in {equation!r}; "
            "write it as in 'ij,jk->ik'",
        )
    return labels


def _from_lists(given: tuple[Any, ...]) -> tuple[list[Tensor], list[Labels], Labels | None]:
    """Operands and labels from a, [0, 1], b, [1, 2] and perhaps the output's [0, 2]."""

    def letters(labels: Any) -> Labels:
        known = (Ellipsis, *range(len(ascii_letters)))
        if not isinstance(labels, (list, tuple)) or any(n not in known for n in labels):
            raise fail(
                ArgumentError,
                OP,
                f"expected labels 0 ... 51 or ..., got {came(labels)}; "
                "use lists of whole numbers below 52",
            )
        return ["..." if n is Ellipsis else ascii_letters[n] for n in labels]

    pairs = len(given) // 2
    tensors = each(OP, given[0 : 2 * pairs : 2])
    terms = [letters(labels) for labels in given[1 : 2 * pairs : 2]]
    return tensors, terms, letters(given[-1]) if len(given) % 2 else None


def _labelled(term: Labels, x: Tensor) -> Labels:
    """One label for each axis; those under "..." are called ".0", ".1", ... from the right."""
    named = [c for c in term if c != "..."]
    free = len(x.shape) - len(named)
    if free < 0 or (free and "..." not in term):
        raise fail(
            ShapeError,
            OP,
            f"expected a label for each of the {len(x.shape)} axes of {x.shape}, got "
            f"{''.join(term)!r}; add labels, or '...'",
        )
    dots = [f".{i}" for i in range(free - 1, -1, -1)]
    at = term.index("...") if "..." in term else 0
    return term[:at] + dots + term[at + 1 :] if "..." in term else named


def _output(output: Labels | None, labels: list[Labels]) -> Labels:
    count = Counter(label for row in labels for label in row)
    dots = sorted((label for label in count if label[0] == "."), key=lambda d: -int(d[1:]))
    if output is None:
        return dots + sorted(c for c, n in count.items() if n == 1 and c[0] != ".")
    wanted = [c for label in output for c in (dots if label == "..." else [label])]
    for label in wanted:
        if label not in count or wanted.count(label) > 1:
            raise fail(
                ArgumentError,
                OP,
                f"expected every label of the output in an operand, and once, got {label!r}; "
                "leave it out",
            )
    return wanted


# computing ----------------------------------------------------------------------------------------
def _prepared(tensors: list[Tensor], labels: list[Labels]) -> list[Part]:
    """Operands of one dtype, diagonals taken, axes that are 1 but elsewhere longer dropped."""
    dtype = tensors[0].dtype
    for x in tensors:
        dtype = promote(dtype, x.dtype)
    sizes: dict[str, int] = {}
    for x, row in zip(tensors, labels, strict=True):
        for label, n in zip(row, x.shape, strict=True):
            known = sizes.setdefault(label, n)
            if n != known and 1 not in (n, known):
                raise fail(
                    ShapeError,
                    OP,
                    f"expected equal sizes or 1 for label {label!r}, got {known} and {n}; "
                    "use another label for one of them",
                )
            if known == 1:
                sizes[label] = n
    parts = []
    for x, row in zip(tensors, labels, strict=True):
        y, kept = _diagonals(x.to(dtype), row)
        drop = [c for c, n in zip(kept, y.shape, strict=True) if n == 1 and sizes[c] != 1]
        shape = tuple(n for c, n in zip(kept, y.shape, strict=True) if c not in drop)
        parts.append((reshape(y, shape), [c for c in kept if c not in drop]))
    return parts


def _diagonals(x: Tensor, labels: Labels) -> Part:
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            i = labels.index(label)
            j = labels.index(label, i + 1)
            n = max(x.shape[i], x.shape[j])
            x = expand(x, tuple(n if k in (i, j) else m for k, m in enumerate(x.shape)))
            x = diagonal(x, 0, i, j)
            labels = [c for k, c in enumerate(labels) if k not in (i, j)] + [label]
    return x, labels


def _contract(parts: list[Part], wanted: Labels) -> Tensor:
    """Join the operands from left to right, and bring the result's axes into the wanted order."""
    done = parts[0]
    for k in range(1, len(parts)):
        later = set(wanted).union(*(labels for _, labels in parts[k + 1 :]))
        done = _join(done, parts[k], later)
    x, labels = _summed(*done, set(wanted))
    return permute(x, [labels.index(c) for c in wanted])


def _summed(x: Tensor, labels: Labels, keep: set[str]) -> Part:
    """x summed over the labels that are not to be kept."""
    axes = tuple(i for i, c in enumerate(labels) if c not in keep)
    return (sum_(x, axes), [c for c in labels if c in keep]) if axes else (x, labels)


def _join(left: Part, right: Part, later: set[str]) -> Part:
    """The product of two operands, summed over what is not needed later."""
    a, la = _summed(*left, later | set(right[1]))
    b, lb = _summed(*right, later | set(la))
    batch = [c for c in la if c in lb and c in later]
    inner = [c for c in la if c in lb and c not in later]
    rows, columns = ([c for c in row if c not in batch + inner] for row in (la, lb))
    sizes = dict(zip(la + lb, a.shape + b.shape, strict=True))
    shape = tuple(sizes[c] for c in batch)
    m, k, n = (prod(sizes[c] for c in group) for group in (rows, inner, columns))
    a = reshape(permute(a, [la.index(c) for c in batch + rows + inner]), (*shape, m, k))
    b = reshape(permute(b, [lb.index(c) for c in batch + inner + columns]), (*shape, k, n))
    y = matmul(a, b) if inner else a * b
    found = batch + rows + columns
    return reshape(y, tuple(sizes[c] for c in found)), found
