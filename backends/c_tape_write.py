"""Writing a tape: the C backend's own Python code, run once over blocks that have no address.

A method such as `linear` checks shapes, makes a plan, asks for memory and calls a kernel. Writer is
a CBackend with two things in other places: its kernels note that they were called, and its blocks
lie somewhere in a `Piece` of memory that does not exist yet. So whatever the families in c_*.py can
do, a tape can, with the same arguments and so the same bits, and none of it is written twice.

What cannot be known before a run cannot be written: a method that looks at values, or computes with
a number that may change, raises Untapeable, and is left to be called at each run (c_tape.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

from .c_backend import CBackend
from .c_library import ffi, kernels, lib
from .c_memory import ITEMSIZE, LARGEST, Block, out_of_memory
from .program import Knob
from .tier1 import Buffer, Shape

NULL = ffi.NULL


class Untapeable(Exception):
    """An instruction needs to know at writing what is known only at a run."""


@dataclass(eq=False)
class Piece:
    """Memory that blocks lie in. `kind` says who makes it and when.

    arena     the tape, once: it lives from its first record to its last
    read      the caller: it is one of the buffers that a run is given
    fresh     the tape, at each run, for a result
    late      an instruction that is called between two parts of the tape
    constant  the tape, once: `block` holds it
    renewed   the tape, at each run: a constant that is changed or given away
    """

    kind: str
    bytes: int = 0
    itemsize: int = 0
    slot: int = -1  # where its address stands at a run, for the kinds that have a new one each time
    block: Block | None = None
    first: int = -1
    last: int = -1
    home: Piece | None = None  # the piece whose memory this one takes over
    offset: int = 0  # in the arena


class Place(NamedTuple):
    """What stands for an address: `offset` bytes into a piece."""

    piece: Piece
    offset: int = 0


class Table(NamedTuple):
    """What stands for the address of a table of addresses, of which `first` are the first list."""

    entries: list[Place | None]
    first: int


class Ahead(NamedTuple):
    """One of three words of the random generator, which has then gone `blocks` ahead."""

    word: int
    blocks: int


class Dial:
    """A number that is read anew at each run; a kernel may be given it, but no one can use it."""

    __slots__ = ("knob",)

    def __init__(self, knob: Knob) -> None:
        self.knob = knob


def _refuse(*_: Any) -> Any:
    raise Untapeable("it computes with a number that may change from run to run")


for _name in (
    *("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "pow", "rpow", "mod"),
    *("rmod", "floordiv", "rfloordiv", "neg", "abs", "and", "or", "rshift", "lshift"),
    *("bool", "int", "float", "index", "eq", "ne", "lt", "le", "gt", "ge", "hash"),
):
    setattr(Dial, f"__{_name}__", _refuse)


class Signature(NamedTuple):
    """What extensions.py says of a kernel: its number, what it returns, its arguments' kinds."""

    name: str
    number: int
    returns: str
    kinds: str


class Record(NamedTuple):
    """One call of a kernel."""

    kernel: Signature
    arguments: Sequence[Any]

    def places(self) -> list[tuple[str, Place]]:
        """The places among the arguments, each with the letter that says what is done there."""
        found = []
        for kind, argument in zip(self.kernel.kinds, self.arguments, strict=True):
            if type(argument) is Place:
                found.append((kind, argument))
            elif type(argument) is Table:
                found += [("t", entry) for entry in argument.entries if entry is not None]
        return found


def signatures() -> dict[str, Signature]:
    """Every kernel's signature by its name in C."""
    entries = [entry.split(":") for entry in ffi.string(lib.tape_signatures()).decode().split()]
    return {
        name: Signature(name, number, letters[0], letters[1:])
        for number, (name, letters) in enumerate(entries)
    }


SIGNATURES = signatures()
RETURNS: dict[str, Any] = {"v": None, "i": 0}


class Writer(CBackend):
    """A C backend whose kernels are written down instead of called."""

    def __init__(self, engine: CBackend) -> None:
        super().__init__()
        self.engine = engine
        self.records: list[Record] = []
        self.c = kernels(lib, self._noted)

    def _noted(self, name: str, function: Any) -> Any:
        """A function that writes a record of a call. What takes no pointer is no kernel: called."""
        kernel = SIGNATURES.get(name)
        if kernel is None or not {*kernel.kinds} & {*"prt"}:
            return function

        def note(*arguments: Any) -> Any:
            if kernel.returns == "p":
                return self._filled(kernel, arguments)
            self.records.append(Record(kernel, arguments))
            return RETURNS[kernel.returns]

        return note

    def _filled(self, kernel: Signature, arguments: tuple[Any, ...]) -> Place:
        """A call of a kernel that makes memory for its result where it is given none."""
        at = kernel.kinds.index("p")
        given = arguments[at]
        place = given if type(given) is Place else Place(Piece("arena"))
        self.records.append(Record(kernel, (*arguments[:at], place, *arguments[at + 1 :])))
        return place

    def block(self, piece: Piece, shape: Shape, dtype: str) -> Block:
        """The block at the beginning of a piece."""
        return Block(Place(piece), shape, prod(shape), dtype, piece)

    # memory: what CBase makes, as places ---------------------------------------------------------
    def empty(self, shape: Shape, dtype: str, new: Any = None) -> Buffer:
        itemsize = ITEMSIZE[dtype]
        bytes_ = prod(shape) * itemsize
        if bytes_ >= LARGEST:
            raise out_of_memory(bytes_, shape, dtype)
        return self.block(Piece("arena", bytes_, itemsize), shape, dtype)

    def result(self, data: Place, shape: Shape, size: int, dtype: str) -> Block:
        data.piece.itemsize = ITEMSIZE[dtype]
        data.piece.bytes = size * data.piece.itemsize
        return Block(data, shape, size, dtype, data.piece)

    def at(self, x: Block, offset: int) -> Place:
        piece, start = x.data
        return Place(piece, start + offset * ITEMSIZE[x.dtype])

    def pointers(self, *lists: Sequence[Block | None]) -> tuple[Any, Any, int]:
        first = lists[0]
        sizes = ffi.new("int64_t[]", [x.size for x in first if x is not None])
        table = [None if x is None else x.data for each in lists for x in each]
        return Table(table, len(first)), sizes, len(first)

    def counter_words(self, key: int, counter: int) -> tuple[Any, Any, Any]:
        return Ahead(0, counter), Ahead(1, counter), Ahead(2, counter)

    # values ---------------------------------------------------------------------------------------
    def from_host(self, data: memoryview, shape: Shape, dtype: str) -> Buffer:
        """A table that a method makes from shapes: it is the same at each run."""
        block = self.engine.from_host(data, shape, dtype)
        return self.block(Piece("constant", block=block), shape, dtype)

    def share(self, data: memoryview, shape: Shape, dtype: str) -> Buffer:
        return self.from_host(data, shape, dtype)

    def to_host(self, x: Buffer) -> memoryview:
        raise Untapeable("it looks at values")
