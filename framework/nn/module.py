"""Module: the unit that models are built of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from ..creation import zeros_like
from ..dtypes import float32, float64
from ..errors import CallError, EtudeError, fail
from ..guard import came
from ..hooks import Handle, Hook
from ..tensor import Tensor
from . import state
from .tree import BUFFER, MODULE, PARAMETER, Tree, join


class Module(Tree):
    """Base of all layers and models: define `__init__` (after `super().__init__()`) and `forward`.

    >>> import etude
    >>> class Twice(etude.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = etude.nn.Parameter(etude.tensor(2.0))
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> model = Twice()
    >>> model(etude.tensor([1.0, 2.0])).detach()
    tensor([2., 4.])
    >>> list(model.state_dict())
    ['factor']
    """

    training: bool
    _hooks: dict[Handle, Hook]
    _pre_hooks: dict[Handle, Hook]

    def __init__(self) -> None:
        self.__dict__.update(training=True, _members={}, _hooks={}, _pre_hooks={})

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The computation; a module is used by calling it, which calls this."""
        name = type(self).__name__
        raise NotImplementedError(
            f"[{name}] expected a forward(), got none; define forward(self, x) in {name}"
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            if self._pre_hooks or self._hooks:
                return self._call_with_hooks(args, kwargs)
            return self.forward(*args, **kwargs)
        except EtudeError as error:
            error.add_note(f"in {outline(type(self).__name__, [self.extra_repr()], [])}")
            raise

    def _call_with_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        for hook in list(self._pre_hooks.values()):
            changed = hook(self, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
        out = self.forward(*args, **kwargs)
        for hook in list(self._hooks.values()):
            changed = hook(self, args, out)
            if changed is not None:
                out = changed
        return out

    def register_forward_pre_hook(self, hook: Hook) -> Handle:
        """Call hook(module, args) before forward; what it returns, if not None, replaces args."""
        return Handle(self._pre_hooks, hook)

    def register_forward_hook(self, hook: Hook) -> Handle:
        """Call hook(module, args, output) after forward; what it returns replaces the output."""
        return Handle(self._hooks, hook)

    # modes --------------------------------------------------------------------------------------
    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call fn on every module below and then on this one."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Self:
        """Switch to training (dropout drops, batch norm uses the batch), or back."""
        if not isinstance(mode, bool):
            raise fail(
                CallError,
                "train",
                f"expected mode as True or False, got {came(mode)}; pass one of them",
            )
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Switch to evaluation: the same as train(False)."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freeze (False) or release all parameters.

        Source: Yosinski et al. 2014. Decks: D1 (only the new head learns).
        """
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, or set them to zeros."""
        for p in self.parameters():
            if p.grad is not None:
                p.grad = None if set_to_none else zeros_like(p.grad)

    # moving -------------------------------------------------------------------------------------
    def to(self, *args: Any, dtype: Any = None, backend: Any = None) -> Self:
        """Move to a backend, convert float parameters and buffers to a dtype, or both. In place.

        `model.to("python")`, `model.to(etude.float64)`, `model.to(x)` as for tensors. The
        parameters stay the same objects, so sharing survives and an optimizer keeps hold of them
        (the state that it has built up stays behind: move first, or reload its state_dict).
        """
        dtype, backend = state.destination(args, dtype, backend)
        for t in [*self.parameters(), *self.buffers()]:
            state.convert(t, dtype, backend)
        return self

    def float(self) -> Self:
        """To float32."""
        return self.to(float32)

    def double(self) -> Self:
        """To float64."""
        return self.to(float64)

    # state --------------------------------------------------------------------------------------
    def state_dict(self, prefix: str = "", keep_vars: bool = False) -> dict[str, Tensor]:
        """Parameters and persistent buffers by dotted name, in torch's order and layouts.

        The tensors share the model's memory: `copy.deepcopy` the dict to keep a moment of training.
        """
        found: dict[str, Tensor] = {}
        for path, owner in self.named_modules(remove_duplicate=False):
            for wanted in (PARAMETER, BUFFER):
                for name, kind in owner._members.items():
                    value = owner.__dict__[name]
                    if kind == wanted and value is not None:
                        found[prefix + join(path, name)] = value if keep_vars else value.detach()
        return found

    def load_state_dict(self, state_dict: Any, strict: bool = True) -> state.IncompatibleKeys:
        """Copy values by name: tensors, NumPy arrays, or torch tensors on the CPU.

        strict: every key must be there on both sides. Returns (missing_keys, unexpected_keys).
        Raises StateMismatch that lists everything that does not fit; then nothing was changed.
        """
        return state.load(self, state_dict, strict)

    # printing -----------------------------------------------------------------------------------
    def extra_repr(self) -> str:
        """The arguments to show in `repr`."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        children = [(name, self.__dict__[name]) for name, k in self._members.items() if k == MODULE]
        return outline(type(self).__name__, extra.split("\n") if extra else [], children)

    def _repr_html_(self) -> str:
        from ..visualize.notebook import module_html

        return module_html(self)


def outline(name: str, extra: list[str], children: list[tuple[str, Any]]) -> str:
    """torch's form of a module's repr: arguments in one line, children indented below."""
    if not children and len(extra) < 2:
        return f"{name}({''.join(extra)})"
    below = [f"({key}): {child!r}".replace("\n", "\n  ") for key, child in children]
    return "\n  ".join([f"{name}(", *extra, *below]) + "\n)"
