"""From records to words: who shares memory with whom, where everything lies, what changes at a run.

lives     a piece of the arena lives from the first record that names it to the last
in place  an elementwise result takes over the memory of an operand that ends there
places    arena.py lays the pieces into one block
words     call, length and arguments of each record, addresses included; what is not known yet
          is noted: moves of addresses, knobs, random counters
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .arena import place
from .c_library import ffi, lib
from .c_memory import Block
from .c_tape_write import Ahead, Dial, Piece, Place, Record, Table
from .program import Instruction, Knob

WORD = (1 << 64) - 1
# Kernels whose result may lie where an operand of its size does: each number is read first.
IN_PLACE = {f"elementwise_{k}" for k in ("unary", "binary", "number", "broadcast", "where", "bias")}
IN_PLACE.add("expression_run")


@dataclass
class Step:
    """An instruction on the tape: its records, or none if it is called at each run (`called`)."""

    instruction: Instruction
    inputs: list[Block]
    outputs: list[Block]
    records: list[Record] = field(default_factory=list)
    called: bool = False
    begin: int = 0  # words
    end: int = 0

    def pieces(self) -> list[Piece]:
        """The memory of what is read and made."""
        return [block.base for block in (*self.inputs, *self.outputs)]


def settle(steps: Sequence[Step]) -> int:
    """Give each piece of the arena its offset; the arena's bytes."""
    pieces = list(_lives(steps))
    homes = [piece for piece in pieces if piece.home is None]
    offsets, size = place([(piece.bytes, piece.first, piece.last) for piece in homes])
    for piece, offset in zip(homes, offsets, strict=True):
        piece.offset = offset
    for piece in pieces:
        piece.offset = root(piece).offset
    return size


def _lives(steps: Sequence[Step]) -> list[Piece]:
    """Note when pieces of the arena live, and which take over the memory of others."""
    found: dict[Piece, None] = {}
    now = 0

    def touch(piece: Piece) -> None:
        if piece.kind == "arena":
            if piece.first < 0:
                piece.first = now
                found[piece] = None
            piece.last = now

    takes: list[tuple[int, Step, Record]] = []
    for step in steps:
        for record in step.records:
            now += 1
            for _, (piece, _) in record.places():
                touch(piece)
            if record.kernel.name in IN_PLACE:
                takes.append((now, step, record))
        # What refuses is done again from its inputs, so they stay until all of it has gone well.
        refusing = len(step.records) > 1 and any(r.kernel.returns == "i" for r in step.records)
        if step.called or refusing:
            now += step.called
            for piece in step.pieces():
                touch(piece)
    for time, step, record in takes:
        pieces = [piece for _, (piece, _) in record.places()]
        table, results, whole = record.arguments[-1], 1, 1
        if isinstance(table, Table):  # of a chain, whose last result may be reduced
            results = table.first
            whole = results - (step.instruction.arguments[0].reduce is not None)
        for made in pieces[:whole]:
            _take_over(time, made, pieces[results:])
    return list(found)


def _take_over(time: int, made: Piece, operands: Sequence[Piece]) -> None:
    """Let an elementwise result that begins here have the memory of an operand that ends here."""
    if made.kind != "arena" or made.first != time:
        return
    for piece in operands:
        home = root(piece)
        alike = piece.bytes == made.bytes == home.bytes and piece.itemsize == made.itemsize
        if home.kind == "arena" and home.last == time and alike:
            made.home = home
            home.last = made.last
            return


def root(piece: Piece) -> Piece:
    """The piece whose memory this one lies in."""
    while piece.home is not None:
        piece = piece.home
    return piece


class Word(NamedTuple):
    """A word that a knob fills at each run."""

    at: int
    knob: Knob
    real: bool


@dataclass
class Segment:
    """Records that run in one call, up to a step that is called (or to the end)."""

    begin: int
    end: int = 0
    moves: list[tuple[int, int, int]] = field(default_factory=list)  # word, slot, offset
    counters: list[tuple[int, int]] = field(default_factory=list)  # word, blocks ahead
    then: Step | None = None

    def numbers(self, fresh: Sequence[tuple[int, int]]) -> Any:
        """As tape.c reads it; `fresh` is the slots to fill first, with their bytes."""
        lists = fresh, self.moves, self.counters
        head = [self.begin, self.end, *map(len, lists)]
        return ffi.new("int64_t[]", [*head, *(n for each in lists for row in each for n in row)])


class Words:
    """The words of a tape, as they are written."""

    def __init__(self, arena: Block | None) -> None:
        self.arena = address(arena.data) if arena is not None else 0
        self.words: list[int] = []
        self.knobs: list[Word] = []
        self.segments = [Segment(0)]
        self.tables: list[tuple[int, Table, Segment]] = []
        self.kept: list[Any] = []  # plans that words point to

    def write(self, steps: Sequence[Step]) -> Any:
        """All records, then the tables that they point to: as an array in C."""
        for step in steps:
            step.begin = len(self.words)
            for record in step.records:
                self.record(record)
            step.end = len(self.words)
            if step.called:
                self.segments[-1].end, self.segments[-1].then = step.end, step
                self.segments.append(Segment(step.end))
        self.segments[-1].end = len(self.words)
        starts = []
        for _, table, segment in self.tables:
            starts.append(len(self.words))
            for entry in table.entries:
                self.words.append(0 if entry is None else self.place(entry, segment))
        array = ffi.new("uint64_t[]", self.words)
        for (at, _, _), start in zip(self.tables, starts, strict=True):
            array[at] = address(array + start)
        return array

    def record(self, record: Record) -> None:
        """One call with its arguments."""
        kernel = record.kernel
        self.words += [address(lib.tape_call(kernel.number)), 2 + len(kernel.kinds)]
        for kind, argument in zip(kernel.kinds, record.arguments, strict=True):
            self.words.append(self.argument(kind, argument, self.segments[-1]))

    def argument(self, kind: str, x: Any, segment: Segment) -> int:
        """One argument; 0 for what is filled in later."""
        at = len(self.words)
        if isinstance(x, Place):
            return self.place(x, segment)
        if isinstance(x, Table):
            self.tables.append((at, x, segment))
            return 0
        if isinstance(x, Dial):
            self.knobs.append(Word(at, x.knob, kind == "d"))
            return 0
        if isinstance(x, Ahead):
            if x.word == 0:
                segment.counters.append((at, x.blocks))
            return 0
        if kind == "d":
            return bits(x)
        if kind == "i":
            return int(x) & WORD
        self.kept.append(x)
        return address(x)

    def place(self, x: Place, segment: Segment) -> int:
        """An address in a piece; 0, with a note of the move, where it differs from run to run."""
        piece, offset = x
        if piece.kind == "arena":
            return self.arena + piece.offset + offset
        if piece.kind == "constant":
            assert piece.block is not None
            return address(piece.block.data) + offset
        segment.moves.append((len(self.words), piece.slot, offset))
        return 0


def address(pointer: Any) -> int:
    """The number behind a pointer."""
    return int(ffi.cast("uintptr_t", pointer))


def bits(number: float) -> int:
    """The 64 bits of a float64."""
    return int(struct.unpack("=Q", struct.pack("=d", number))[0])


def changed_constants(steps: Sequence[Step]) -> Iterator[Piece]:
    """Constants that a step writes into: they need their values back at each run."""
    for step in steps:
        if step.called and not step.outputs:
            yield from (block.base for block in step.inputs if block.base.kind == "constant")
        for record in step.records:
            for kind, (piece, _) in record.places():
                if kind in "pt" and piece.kind == "constant":
                    yield piece
