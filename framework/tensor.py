"""Tensor: values on a backend, and their place in the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import TYPE_CHECKING, Any

from etude.backends import registry
from etude.backends.base import Backend, Buffer, Shape

from . import autograd, sweep
from .creation import arange, as_backend, eye, full, ones, tensor, zeros
from .dtypes import DTYPES, DType, as_dtype, bool_, float32, float64, int32, int64
from .errors import (
    ArgumentError,
    BackendMismatch,
    CallError,
    DTypeError,
    GradError,
    ShapeError,
    fail,
    nearest,
)
from .hooks import Handle
from .host import nested_list, numpy_view
from .interchange import cuda_interface, to_dlpack
from .shape import check_axis

if TYPE_CHECKING:
    from .autograd import Node

__all__ = ["Tensor", "arange", "as_backend", "eye", "full", "ones", "tensor", "zeros"]

Flag = bool  # inside the class `bool` and `int` are methods
Whole = int
Real = float
NO_AXES = "expected at least one axis, got a 0-d tensor; use .item() for its value"


class Tensor:
    """An n-dimensional array that remembers how it was computed.

    Made by `etude.tensor`, `etude.zeros` and the like; this constructor is internal. Attributes:
    `shape`, `dtype`, `backend`, `requires_grad`, `grad` (after `backward`), and `buffer`, the
    values in the backend's own form. `node` and `index` say which op's which output this is.
    """

    __array_ufunc__ = None  # so that ndarray + Tensor asks Tensor.__radd__ and keeps the gradient
    requires_grad: Flag = False
    grad: Tensor | None = None
    node: Node | None = None
    index: Whole = 0
    hooks: dict[Any, Any] | None = None  # of a leaf
    version: Whole = 0  # when it was last changed in place, on autograd's clock

    def __init__(self, buffer: Buffer, shape: Shape, dtype: DType, backend: Backend) -> None:
        self.buffer = buffer
        self.shape = shape
        self.dtype = dtype
        self.backend = backend

    # facts --------------------------------------------------------------------------------------
    @property
    def ndim(self) -> Whole:
        """Number of axes."""
        return len(self.shape)

    def dim(self) -> Whole:
        """Number of axes."""
        return len(self.shape)

    def size(self, dim: Whole | None = None) -> Any:
        """The shape, or the size of one axis."""
        return self.shape if dim is None else self.shape[check_axis("size", dim, len(self.shape))]

    def numel(self) -> Whole:
        """Number of elements."""
        return prod(self.shape)

    @property
    def is_leaf(self) -> Flag:
        """Whether no recorded op made this tensor."""
        return self.node is None

    @property
    def T(self) -> Tensor:
        """Axes in reverse order."""
        return F.permute(self, tuple(range(len(self.shape)))[::-1])

    @property
    def mT(self) -> Tensor:
        """The last two axes swapped."""
        return F.transpose(self, -2, -1)

    def __len__(self) -> Whole:
        if not self.shape:
            raise fail(ShapeError, "len", NO_AXES)
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.shape:
            raise fail(ShapeError, "iter", NO_AXES)
        return iter(F.unbind(self, 0))

    def __repr__(self) -> str:
        from .printing import tensor_repr

        return tensor_repr(self)

    def _repr_html_(self) -> str:
        from .visualize.notebook import tensor_html

        return tensor_html(self)

    def __format__(self, spec: str) -> str:
        if not spec:
            return repr(self)
        if self.shape:
            raise fail(
                CallError,
                "format",
                f"expected a 0-d tensor for the format {spec!r}, got shape {self.shape}; "
                "format its .item() or the numbers of .tolist()",
            )
        return format(self.item(), spec)

    __hash__ = object.__hash__

    # to and from the host -----------------------------------------------------------------------
    def item(self) -> Any:
        """The value of a one-element tensor as a Python number."""
        return self._only("item", "use .tolist() for all values")

    def _only(self, op: str, fix: str) -> Any:
        if prod(self.shape) != 1:
            raise fail(ShapeError, op, f"expected one element, got shape {self.shape}; {fix}")
        return self.backend.to_host(self.buffer)[0]

    def tolist(self) -> Any:
        """Nested lists of Python numbers (one number for a 0-d tensor)."""
        return nested_list(self.backend.to_host(self.buffer), self.shape)

    def numpy(self) -> Any:
        """A NumPy array with these values, read-only, sharing memory where the backend can.

        The step of an optimizer shows through it: `np.array(x)` is a copy that stays. A tensor on a
        device has to be brought to the host first: `x.cpu().numpy()`.
        """
        if self.requires_grad:
            raise fail(
                GradError,
                "numpy",
                "expected a tensor outside the graph, got one that requires grad; "
                "use .detach().numpy()",
            )
        if self.backend.device[0] != 1:
            raise fail(
                BackendMismatch,
                "numpy",
                f"expected a tensor in host memory, got one on {self.backend.name!r}; "
                'copy it with .cpu().numpy(), which is .to("numpy").numpy()',
            )
        return numpy_view(self)

    def cpu(self) -> Tensor:
        """This tensor if it is in host memory, else a copy on the NumPy backend."""
        return self if self.backend.device[0] == 1 else self.to("numpy")

    def cuda(self) -> Tensor:
        """On the CUDA backend: `x.to("cuda")`."""
        return self.to("cuda")

    def __array__(self, dtype: Any = None, copy: Flag | None = None) -> Any:
        view = self.numpy()
        if copy is False and dtype is not None and dtype != view.dtype:
            raise ValueError(
                f"[numpy] expected no copy, got {self.dtype} for {dtype}; pass copy=None"
            )
        if copy is None or copy:
            return view.astype(view.dtype if dtype is None else dtype, copy=True)
        return view

    def __dlpack__(self, *, copy: Flag | None = None, **how: Any) -> Any:
        return to_dlpack(self, copy=copy, **how)

    def __dlpack_device__(self) -> tuple[Whole, Whole]:
        return self.backend.device

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return cuda_interface(self)

    def __bool__(self) -> Flag:
        return bool(self._only("bool", "use .any() or .all()"))

    def __float__(self) -> Real:
        return float(self._only("float", "use .tolist() for all values"))

    def __int__(self) -> Whole:
        return int(self._only("int", "use .tolist() for all values"))

    def __index__(self) -> Whole:
        if self.dtype.is_floating_point or self.dtype is bool_:
            raise fail(
                DTypeError,
                "index",
                f"expected a tensor of whole numbers, got {self.dtype}; convert it with .long()",
            )
        return int(self._only("index", "use .tolist() for all values"))

    def __contains__(self, value: Any) -> Flag:
        return bool((self == value).any().item())

    # graph --------------------------------------------------------------------------------------
    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: Flag | None = None,
        create_graph: Flag = False,
    ) -> None:
        """Add the gradient of sum(gradient * self) to the `.grad` of every leaf.

        dL/dx = (dy/dx)^T dL/dy from result to inputs, over what the forward pass stored.
        Rumelhart, Hinton & Williams 1986. Decks: D0, D1, D2, D3 (module by module), D4.
        """
        sweep.backward(self, gradient, retain_graph, create_graph)

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Handle:
        """Call hook(gradient) in each backward; what it returns, if not None, replaces it."""
        return sweep.register_hook(self, hook)

    def retain_grad(self) -> None:
        """Let `backward` leave the gradient of a result in its `.grad`, as it does for leaves."""
        if self.node is not None:
            self.register_hook(lambda g: setattr(self, "grad", g))

    def explain(self) -> str:
        """A report on the graph behind this loss; the first suspicious tensor is marked."""
        from .explain import explain

        return explain(self)

    def requires_grad_(self, requires_grad: Flag = True) -> Tensor:
        """Ask for gradients (floats only), or no longer. In place."""
        if self.node is not None:
            raise fail(
                GradError,
                "requires_grad_",
                f"expected a leaf, got a result of {self.node.op.name!r}; "
                "use .detach() for a leaf of its own",
            )
        if requires_grad and not self.dtype.is_floating_point:
            raise fail(
                DTypeError,
                "requires_grad_",
                f"expected a float tensor, got {self.dtype}; convert it with .float()",
            )
        if requires_grad or self.requires_grad:
            self.requires_grad = requires_grad
        return self

    def detach(self) -> Tensor:
        """The same values, outside the graph."""
        return Tensor(self.buffer, self.shape, self.dtype, self.backend)

    def clone(self) -> Tensor:
        """A copy in memory of its own; gradients pass through."""
        return autograd.apply(F.Clone(), self)

    # conversion ---------------------------------------------------------------------------------
    def to(self, *args: Any, dtype: Any = None, backend: Any = None) -> Tensor:
        """Convert: `x.to("numpy")`, `x.to(etude.float64)`, `x.to(other)`, or both by name.

        Moving to another backend copies through the host; the gradient moves back.
        """
        for a in args:
            if isinstance(a, Tensor):
                dtype, backend = a.dtype, a.backend
            elif isinstance(a, Backend) or (isinstance(a, str) and a in registry.PATHS):
                backend = a
            elif isinstance(a, str) and type(a) is not DType and a not in DTYPES:
                raise fail(
                    ArgumentError,
                    "to",
                    f"expected a backend or a dtype, got {a!r}; "
                    f"{nearest(a, [*registry.PATHS, *DTYPES])}",
                )
            elif a is not None:
                dtype = as_dtype(a, "to")
        x = self if dtype is None else F.cast(self, as_dtype(dtype, "to"))
        target = x.backend if backend is None else as_backend(backend)
        if target is x.backend:
            return x
        y = autograd.apply(F.Move(target), x)
        y.backend = target
        return y

    def float(self) -> Tensor:
        """To float32."""
        return self.to(float32)

    def double(self) -> Tensor:
        """To float64."""
        return self.to(float64)

    def int(self) -> Tensor:
        """To int32."""
        return self.to(int32)

    def long(self) -> Tensor:
        """To int64."""
        return self.to(int64)

    def bool(self) -> Tensor:
        """To bool: x != 0."""
        return self.to(bool_)

    def type_as(self, other: Tensor) -> Tensor:
        """To the dtype of `other`."""
        return self.to(other.dtype)

    # operators ----------------------------------------------------------------------------------
    def __add__(self, other: Any) -> Tensor:
        return F.ADD(self, other)

    def __radd__(self, other: Any) -> Tensor:
        return F.ADD(other, self)

    def __sub__(self, other: Any) -> Tensor:
        return F.SUB(self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return F.SUB(other, self)

    def __mul__(self, other: Any) -> Tensor:
        return F.MUL(self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return F.MUL(other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return F.DIV(self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return F.DIV(other, self)

    def __floordiv__(self, other: Any) -> Tensor:
        return F.FLOOR_DIVIDE(self, other)

    def __rfloordiv__(self, other: Any) -> Tensor:
        return F.FLOOR_DIVIDE(other, self)

    def __mod__(self, other: Any) -> Tensor:
        return F.REMAINDER(self, other)

    def __rmod__(self, other: Any) -> Tensor:
        return F.REMAINDER(other, self)

    def __pow__(self, other: Any) -> Tensor:
        return F.pow(self, other)

    def __rpow__(self, other: Any) -> Tensor:
        return F.pow(other, self)

    def __matmul__(self, other: Any) -> Tensor:
        return F.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return F.matmul(F.as_tensor_operand("matmul", other, self), self)

    def __neg__(self) -> Tensor:
        return F.NEG(self)

    def __abs__(self) -> Tensor:
        return F.ABS(self)

    def __invert__(self) -> Tensor:
        return F.LOGICAL_NOT(F.only_bool("~", self))

    def __and__(self, other: Any) -> Tensor:
        return F.LOGICAL_AND(F.only_bool("&", self), F.only_bool("&", other))

    def __or__(self, other: Any) -> Tensor:
        return F.LOGICAL_OR(F.only_bool("|", self), F.only_bool("|", other))

    def __xor__(self, other: Any) -> Tensor:
        return F.LOGICAL_XOR(F.only_bool("^", self), F.only_bool("^", other))

    def __eq__(self, other: Any) -> Any:
        return _compare(F.EQ, self, other)

    def __ne__(self, other: Any) -> Any:
        return _compare(F.NE, self, other)

    def __lt__(self, other: Any) -> Tensor:
        return F.LT(self, other)

    def __le__(self, other: Any) -> Tensor:
        return F.LE(self, other)

    def __gt__(self, other: Any) -> Tensor:
        return F.GT(self, other)

    def __ge__(self, other: Any) -> Tensor:
        return F.GE(self, other)

    def __getitem__(self, key: Any) -> Tensor:
        return F.getitem(self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        inplace.set_item(self, key, value)

    if TYPE_CHECKING:  # methods.py attaches every function whose first argument is a tensor

        def __getattr__(self, name: str) -> Callable[..., Tensor]: ...


def _compare(op: Any, x: Tensor, other: Any) -> Any:
    """`x == None` and `x == "a"` are False, as in torch; a list is more likely a mistake."""
    try:
        return op(x, other)
    except CallError:
        if isinstance(other, (list, tuple)):
            raise
        return NotImplemented


from . import functional as F  # noqa: E402 - the operators above and the functions need each other
from . import inplace, methods  # noqa: E402, F401
