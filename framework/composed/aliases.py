"""The second names that torch gives to some functions: `arcsin` is `asin`, `concat` is `cat`."""

from __future__ import annotations

from ..ops import comparison, layout, pointwise

ALIASES = {
    "absolute": "abs",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "concat": "cat",
    "concatenate": "cat",
    "divide": "div",
    "expit": "sigmoid",
    "fix": "trunc",
    "greater": "gt",
    "greater_equal": "ge",
    "less": "lt",
    "less_equal": "le",
    "moveaxis": "movedim",
    "multiply": "mul",
    "negative": "neg",
    "not_equal": "ne",
    "sgn": "sign",
    "subtract": "sub",
    "swapaxes": "transpose",
    "swapdims": "transpose",
    "true_divide": "div",
}

for _alias, _name in ALIASES.items():
    _home = next(m for m in (layout, comparison, pointwise) if hasattr(m, _name))
    globals()[_alias] = getattr(_home, _name)
__all__ = [*ALIASES]
