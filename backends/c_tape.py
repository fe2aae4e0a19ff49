"""The tape: a recorded program made into one list of C calls, which one call from Python runs.

    eager    for each op: Python (check, plan, make memory) -> cffi -> kernel
    tape     once:  run that Python, and write down which kernels it calls with what
             each step: fill in what is new -> cffi -> all kernels

What Python does for an op depends on shapes and dtypes alone. So it is done once, by the very code
that eager steps run, over blocks without addresses (c_tape_write.py). The records that come out are
laid into memory: temporary values into one arena, where those that never live together share bytes
(c_tape_link.py). What is left for each step is to put in what differs from step to step:

    reads       addresses of state and inputs       one for each that a run is given
    results     new memory for each                 so that the next run harms nothing
    knobs       learning rates, step counts         read where they are kept, at the beginning
    counters    of the random generator             each record knows how far ahead of it it is

and then kernels/c/tape.c runs down the records, without Python's lock and with the pool's threads
awake.

The same kernels run with the same arguments in the same order, so results equal eager ones to the
bit, and errors are the same: where a kernel refuses, the instruction behind it is called eagerly,
and raises what it raises, or does in another way what the kernel would not.

An instruction that cannot be written, because its Python looks at values, is called between two
parts of the tape. `Tape.called` names those.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from operator import index, methodcaller
from threading import Lock
from time import perf_counter_ns
from typing import Any

from .c_backend import CBackend
from .c_library import ffi, lib
from .c_memory import Block
from .c_tape_link import WORD, Step, Words, changed_constants, settle
from .c_tape_write import Dial, Piece, Untapeable, Writer
from .program import RANDOM, Instruction, Knob, Loadable, Value
from .registry import BackendUnavailable
from .tier1 import Buffer, Shape

TAPE_RUN = lib.tape_run
Timing = tuple[Instruction, int, int]  # when it began and ended, in nanoseconds


def written(engine: CBackend, program: Loadable) -> tuple[list[Step], dict[Value, Block]]:
    """Every instruction as a step, and the blocks that stand for values."""
    writer = Writer(engine)
    blocks: dict[Value, Block] = {}
    for slot, v in enumerate(program.reads):
        blocks[v] = writer.block(Piece("read", slot=slot), *spec(v))
    for v, constant in program.constants.items():
        blocks[v] = writer.from_host(*constant)
    steps = []
    for instruction, _ in program.steps():
        step = Step(instruction, [blocks[v] for v in instruction.inputs], [])
        try:
            made = listed(call(writer, instruction, blocks, Dial, (0, 0)))
            step.records = writer.records
        except BackendUnavailable:  # no compiler for generated code
            raise
        except Exception:  # whatever it is, it is for the run to raise
            step.called = True
            made = [writer.block(Piece("late"), *spec(v)) for v in instruction.outputs]
        writer.records = []
        blocks.update(zip(instruction.outputs, made, strict=True))
        step.outputs = made
        steps.append(step)
    del writer.c  # it and the writer hold each other
    return steps, blocks


def spec(v: Value) -> tuple[Shape, str]:
    """Shape and dtype of a value; Untapeable where the program does not say."""
    if v.shape is None or v.dtype is None:
        raise Untapeable(f"{v} has no shape")
    return v.shape, v.dtype


def call(
    backend: Any, instruction: Instruction, blocks: Any, knob: Any, random: tuple[int, int]
) -> Any:
    """Make an instruction's call: its values are looked up in blocks, its knobs by `knob`."""
    arguments = [resolve(a, blocks, knob) for a in instruction.arguments]
    if instruction.method in RANDOM:
        arguments[:2] = [random[0], random[1] + arguments[1]]
    return getattr(backend, instruction.method)(*arguments)


def resolve(x: Any, blocks: Any, knob: Any) -> Any:
    """An argument with blocks for values and numbers for knobs."""
    if isinstance(x, Value):
        return blocks[x]
    if isinstance(x, (list, tuple)) and any(isinstance(part, Value) for part in x):
        return [resolve(part, blocks, knob) for part in x]
    return knob(x) if isinstance(x, Knob) else x


def listed(result: Any) -> list[Any]:
    """The buffers of a result, without those that were not asked for."""
    several = result if isinstance(result, (tuple, list)) else [result]
    return [buffer for buffer in several if buffer is not None]


class Tape:
    """A program that is ready to run: tape(given, key, counter) -> results.

    records: how many kernels a run calls; size: bytes of the arena; called: the methods of the
    instructions that could not be written and are called at each run.
    """

    def __init__(self, engine: CBackend, program: Loadable) -> None:
        self.engine, self.lock, self.reads = engine, Lock(), len(program.reads)
        self.steps, self.blocks = written(engine, program)
        self.results = [(self.blocks[v].base, self.blocks[v].shape) for v in program.returns]
        slots = self._give_slots()
        self.size = settle(self.steps)
        self.arena = engine.empty((self.size,), "bool") if self.size else None
        words = Words(self.arena)
        self.words, self.knobs, self.kept = words.write(self.steps), words.knobs, words.kept
        self.reals = ffi.cast("double *", self.words)
        self.times: Any = ffi.NULL
        self.begun: dict[int, int] = {}  # when the tape was started at a word
        self.slots = ffi.new("void *[]", slots + 1)
        self.segments = words.segments
        fresh = [(piece.slot, piece.bytes) for piece in self.fresh]
        self.numbers = [s.numbers(() if k else fresh) for k, s in enumerate(self.segments)]
        self.makes = [(p.slot, b.shape, b.size, b.dtype) for p, b in self.fresh.items()]
        self.plain = len(self.segments) == 1 and not self.renewed
        self.plain &= self.results == [(p, b.shape) for p, b in self.fresh.items()]
        self.records = sum(len(step.records) for step in self.steps)
        self.called = [step.instruction.method for step in self.steps if step.called]

    def _give_slots(self) -> int:
        """A slot for each piece that is made at each run; how many slots there are."""
        results = {piece: None for piece, _ in self.results}
        returned = [piece for piece in results if piece.kind == "constant"]
        self.renewed = list(dict.fromkeys([*changed_constants(self.steps), *returned]))
        blocks = {block.base: block for block in self.blocks.values()}
        self.fresh = {piece: blocks[piece] for piece in results if piece.kind == "arena"}
        late = [block.base for step in self.steps if step.called for block in step.outputs]
        made = [*self.fresh, *self.renewed, *late]
        for slot, piece in enumerate(made, self.reads):
            piece.slot = slot
        for piece in self.fresh:
            piece.kind = "fresh"
        for piece in self.renewed:
            piece.kind = "renewed"
        return self.reads + len(made)

    def __call__(self, given: Sequence[Buffer], key: int, counter: int) -> list[Buffer]:
        """Run once. Raises what the instructions raise; the tape can be run again after that."""
        with self.lock:
            return self.run(given, key, counter)

    def timed(
        self, given: Sequence[Buffer], key: int, counter: int
    ) -> tuple[list[Buffer], list[Timing]]:
        """Run once with a look at the clock around each record; and when each instruction ran.

        Instructions without records, and those that are called, are not among them.
        """
        with self.lock:
            self.begun.clear()
            self.times = ffi.new("int64_t[]", len(self.words))
            try:
                return self.run(given, key, counter), list(self._timings())
            finally:
                self.times = ffi.NULL

    def _timings(self) -> Iterator[Timing]:
        """When the kernels of each step began and ended, on the clock of perf_counter_ns."""
        starts = sorted(self.begun)
        for step in self.steps:
            at = last = step.begin
            while at < step.end:
                last, at = at, at + self.words[at + 1]
            if at > last and self.times[last + 1]:  # 0 where a kernel refused
                begun = self.begun[starts[bisect_right(starts, last) - 1]]
                first = begun + self.times[step.begin]
                yield step.instruction, first, begun + self.times[last + 1]

    def run(self, given: Sequence[Buffer], key: int, counter: int) -> list[Buffer]:
        """Fill in what is new, and run."""
        self.slots[0 : self.reads] = [x.data for x in given]
        for at, knob, real in self.knobs:
            if real:
                self.reals[at] = knob.read()
            else:
                self.words[at] = index(knob.read()) & WORD
        if not self.plain:
            return Run(self, given, key, counter).results()
        stopped = self.go(0, 0, key, counter)
        made = self.made()
        if stopped == self.segments[0].end:
            return made
        return Run(self, given, key, counter).results(stopped, made)

    def go(self, number: int, start: int, key: int, counter: int) -> int:
        """Run records of a segment from a word on; the word where it ended or stopped."""
        random = key & WORD, counter & WORD, counter >> 64 & WORD
        numbers = self.numbers[number]
        if self.times:
            self.begun[start] = perf_counter_ns()
        stopped: int = TAPE_RUN(self.words, numbers, self.slots, start, *random, self.times)
        if stopped < 0:
            bytes_ = sum(piece.bytes for piece in self.fresh)
            raise MemoryError(f"[c] no memory for a program's results: {bytes_:,} bytes asked for")
        return stopped

    def made(self) -> list[Block]:
        """The results that the first segment made memory for."""
        slots = self.slots
        return [Block(slots[at], shape, size, dtype, None) for at, shape, size, dtype in self.makes]


class Run:
    """One run of which more is to be done than records: a step is called, or a kernel refused."""

    def __init__(self, tape: Tape, given: Sequence[Buffer], key: int, counter: int) -> None:
        self.tape, self.random = tape, (key, counter)
        self.blocks = dict(enumerate(given))  # by slot

    def results(self, stopped: int = -1, made: Sequence[Block] = ()) -> list[Buffer]:
        """Run all segments, or what is left after the first one stopped; then what is returned."""
        tape = self.tape
        for piece in tape.renewed:
            assert piece.block is not None
            copy = tape.engine.empty(piece.block.shape, piece.block.dtype)
            tape.engine.assign(copy, piece.block)
            self.put(piece, copy)
        for number, segment in enumerate(tape.segments):
            if stopped < 0 or number:
                stopped = tape.go(number, segment.begin, *self.random)
                made = tape.made() if number == 0 else ()
            for piece, block in zip(tape.fresh, made):
                self.blocks[piece.slot] = block
            while stopped != segment.end:
                stopped = tape.go(number, self.redo(stopped), *self.random)
            if segment.then is not None:
                found = listed(self.call(segment.then))
                for block, result in zip(segment.then.outputs, found, strict=True):
                    self.put(block.base, result)
        return [viewed(self.blocks[piece.slot], shape) for piece, shape in tape.results]

    def put(self, piece: Piece, block: Block) -> None:
        """Let a slot have this block at this run."""
        self.blocks[piece.slot] = block
        self.tape.slots[piece.slot] = block.data

    def redo(self, stopped: int) -> int:
        """Call the instruction of which a kernel refused; the word where the next one begins.

        It raises the error, or finds another way; then its results go where the tape reads them.
        """
        steps = [step for step in self.tape.steps if step.end > stopped]
        for block, result in zip(steps[0].outputs, listed(self.call(steps[0])), strict=True):
            self.tape.engine.assign(self.real(block), result)
        return steps[0].end

    def call(self, step: Step) -> Any:
        """Make a step's call on the blocks of this run."""
        names = zip(step.instruction.inputs, step.inputs, strict=True)
        blocks = {v: self.real(block) for v, block in names}
        return call(self.tape.engine, step.instruction, blocks, methodcaller("read"), self.random)

    def real(self, block: Block) -> Block:
        """The block of this run that one of the tape stands for."""
        piece, offset = block.data
        if piece.kind == "arena":
            assert self.tape.arena is not None
            at: Block = self.tape.arena.part(piece.offset + offset, block.shape, block.dtype)
            return at
        if piece.kind == "constant":
            assert piece.block is not None
            return viewed(piece.block, block.shape)
        return viewed(self.blocks[piece.slot], block.shape)


def viewed(block: Block, shape: Shape) -> Block:
    """The block under a shape."""
    return block if tuple(block.shape) == shape else block.view(shape)
