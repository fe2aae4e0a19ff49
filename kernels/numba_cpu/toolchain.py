"""The one place that meets Numba: how kernels are compiled, where the machine code is kept.

    @kernel                     def copy(out, x): ...           called from Python, one thread
    @shared                     def row(i, out, x): ...         for each i, by all (launch.py)
    callback(signature, task)   def task(out, x, n): ...        called by its address (launch.py)
    @device                     def exp(x): ...                 called from kernels, inlined by LLVM

All of them follow IEEE: no exception for 1/0, nan and inf go through; the only freedom is that a
product and a sum may become one fused instruction (`CONTRACT`). They release the GIL.

*Vector width.* LLVM prefers 256-bit vectors on Intel's processors even where they have 512 bits.
`wide()` in the body of a kernel, a shared body or a task asks for all the width there is, for this
one alone; elsewhere it does nothing. A loop that computes gains 1.3 to 1.5 times (elementwise.py
has figures), one that waits for memory nothing.

*The first call.* Somebody waits while a kernel is compiled, so compiling is kept short: a @device
function is typed and written down once and never made into machine code of its own
(`_DeviceLibrary`), and no kernel has a `prange`, for which Numba compiles the loop's body as a
second kernel. A convolution's three kernels take 5.5 s of the processor; they took 15.

*The cache.* Numba keeps machine code on disk, and takes it back if the kernel's own file is as it
was; a change in another file that the kernel was made from would go unseen. So the folder's name is
a digest of the file and of all files that it imports, and a new source is a new folder.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

try:
    import numba
except ImportError as error:
    raise ImportError("it needs Numba: pip install 'numba<0.69'") from error
from numba import config, types
from numba.core import event
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.extending import intrinsic

from ..cache import bases, writable

__all__ = [
    "CONTRACT",
    "REASSOCIATE",
    "Compilations",
    "callback",
    "compilations",
    "device",
    "kernel",
    "parallel_from",
    "set_threads",
    "threads",
    "wide",
]

CONTRACT = {"contract"}
REASSOCIATE = {"contract", "reassoc", "nsz"}  # sums in any order, the same in each run; nan stays
HERE = Path(__file__).parent
GENERATED = "chain_"  # how the names of generated files begin


# where machine code is kept -----------------------------------------------------------------------
def _imported(path: Path) -> list[Path]:
    """The files next to or above `path` that its `from .x import y` lines name."""
    found = []
    lines = re.findall(r"^from (\.+)([\w.]*) import (\([^)]*\)|.*)", path.read_text("utf-8"), re.M)
    for dots, module, names in lines:
        base = path.parents[len(dots) - 1].joinpath(*module.split("."))
        inside = [base / f"{name}.py" for name in re.findall(r"\w+", names)]
        found += [file for file in (base.with_suffix(".py"), *inside) if file.is_file()]
    return found


@cache
def _digest(path: Path) -> str:
    """What the source of a kernel file and of all that it imports is."""
    files, waiting = {path}, [path]
    while waiting:
        new = set(_imported(waiting.pop())) - files
        files |= new
        waiting += new
    text = b"".join(file.read_bytes() for file in sorted(files))
    return hashlib.sha256(text).hexdigest()[:16]


@cache
def folder(path: Path) -> str | None:
    """Where the code of a kernel file's functions is kept; None if nothing can be written.

    That of a generated file (generated.py) is kept beside it, if there is a file.
    """
    if path.name.startswith(GENERATED):
        return str(path.parent) if path.is_file() else None
    places = [Path(config.CACHE_DIR)] if config.CACHE_DIR else bases(HERE)
    place = writable([base / f"numba-{path.stem}-{_digest(path)}" for base in places])
    return None if place is None else str(place)


# how kernels are compiled -------------------------------------------------------------------------
def _kept(decorate: Callable[..., Any], function: Callable[..., Any], **options: Any) -> Any:
    """`decorate(**options)(function)`, its machine code kept in the folder of the function's file.

    Numba reads the place from its configuration while it decorates, and only then.
    """
    place = folder(Path(function.__code__.co_filename))
    before, config.CACHE_DIR = config.CACHE_DIR, place or config.CACHE_DIR
    try:
        return decorate(cache=place is not None, **options)(function)
    finally:
        config.CACHE_DIR = before


def kernel(function: Any = None, *, fastmath: Any = CONTRACT) -> Any:
    """Compile at the first call with arguments of new types, or load what was compiled before."""
    if function is None:
        return lambda f: kernel(f, fastmath=fastmath)
    options = {"nogil": True, "error_model": "numpy", "fastmath": fastmath}
    return _kept(numba.njit, function, no_cfunc_wrapper=True, **options)


def device(function: Any = None, *, fastmath: Any = CONTRACT, always: bool = False) -> Any:
    """A function for kernels to call, which LLVM compiles into them if it is small, or `always`.

    A loop with a call in it has no vectors.
    """
    if function is None:
        return lambda f: device(f, fastmath=fastmath, always=always)
    options = {"nogil": True, "error_model": "numpy", "fastmath": fastmath}
    options |= {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return numba.njit(function, forceinline=always, pipeline_class=_DeviceCompiler, **options)


class _DeviceLibrary(JITCodeLibrary):  # type: ignore[misc]
    """LLVM's code of a device function, which waits for the kernel that it is compiled into.

    Numba would optimise it alone, with vectors for a function that is not `wide`, and make machine
    code of it that nobody calls.
    """

    @property
    def codegen(self) -> Any:
        return self

    def set_env(self, name: str, env: Any) -> None:
        """Python's objects, of which a device function has none."""

    def get_pointer_to_function(self, name: str) -> int:
        return 0

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


class _DeviceCompiler(Compiler):  # type: ignore[misc]
    """Numba's compiler, which writes to a `_DeviceLibrary`."""

    def __init__(self, typing: Any, target: Any, library: Any, *arguments: Any) -> None:
        super().__init__(typing, target, _DeviceLibrary(target.codegen(), "device"), *arguments)


def callback(
    signature: Any, function: Any, *, fastmath: Any = CONTRACT, parallel: bool = False
) -> int:
    """Compile for C's calling convention now; the address of the machine code, which stays."""
    options = {"nopython": True, "error_model": "numpy", "fastmath": fastmath}
    options["parallel"] = parallel
    _COMPILED.on_start()
    try:
        compiled = _kept(numba.cfunc, function, sig=signature, **options)
    finally:
        _COMPILED.on_end(counts=False)
    _COMPILED.count += not compiled.cache_hits
    _CALLBACKS.append(compiled)
    return int(compiled.address)


def set_threads(threads: int) -> None:
    """Let parallel loops use this many threads, but no more than Numba started."""
    numba.set_num_threads(min(threads, config.NUMBA_NUM_THREADS))


def threads() -> int:
    """How many threads parallel loops use now."""
    return int(numba.get_num_threads())


def parallel_from() -> int:
    """The number of elements from which an elementwise kernel gains by threads.

    Waking them takes 1.6 us with OpenMP or TBB, as long as 10,000 additions, and 100 us with
    Numba's own queue, which it uses where it finds neither. (That queue ends the process if two
    threads of the program use it at once, and OpenMP does in a fork: both are Numba's rules.)
    """
    if numba.get_num_threads() == 1:
        return 1 << 62
    numba.np.ufunc.parallel._launch_threads()
    return 400_000 if numba.threading_layer() == "workqueue" else 20_000


_CALLBACKS: list[Any] = []  # machine code lives as long as the object that Numba returns


@intrinsic
def wide(typingctx: Any) -> Any:
    """Vectors of 512 bits, where the processor has them, for the function in which this stands."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        # llvmlite refuses attributes that it does not know, but prints any.
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.void(), generate


# what compiling took ------------------------------------------------------------------------------
class Compilations(NamedTuple):
    """How many kernels were compiled in this process, and the seconds for them and for loading."""

    count: int
    seconds: float


class _Clock(event.Listener):  # type: ignore[misc]
    """Adds up events of one kind; one inside another counts as part of it."""

    def __init__(self) -> None:
        self.count, self.seconds = 0, 0.0
        self.lock, self.local = threading.Lock(), threading.local()

    def on_start(self, event: Any = None) -> None:
        self.local.stack = [*getattr(self.local, "stack", []), time.perf_counter()]

    def on_end(self, event: Any = None, counts: bool = True) -> None:
        *self.local.stack, began = self.local.stack
        if counts and not self.local.stack:
            with self.lock:
                self.count, self.seconds = (
                    self.count + 1,
                    self.seconds + time.perf_counter() - began,
                )


_COMPILED, _LOCKED = _Clock(), _Clock()
event.register("numba:compile", _COMPILED)
event.register("numba:compiler_lock", _LOCKED)  # held while a kernel is compiled or loaded


def compilations() -> Compilations:
    """What compiling and loading cost until now: compare before and after a first call."""
    return Compilations(_COMPILED.count, _LOCKED.seconds)
