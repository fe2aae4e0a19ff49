"""A program loaded from a file: a function of tensors, without the Python that it was made from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from etude.backends.base import Backend

from ..creation import as_backend
from ..errors import ArgumentError, BackendMismatch, ShapeError, fail
from ..graph.program import Program, Slot, spec
from ..guard import came
from ..profiling.state import profiling
from ..tensor import Tensor
from .passes import optimize


class SavedProgram:
    """What `load_program` returns; call it with tensors like those that it was recorded with.

    Results have no graph. `print` shows inputs, weights and instructions as they were saved, and
    `optimized` is the program after the passes, which runs.
    """

    def __init__(self, program: Program, backend: Backend, passes: Iterable[str] | None) -> None:
        self.program, self.backend = program, backend
        self.passes = None if passes is None else list(passes)
        self.optimized = optimize(program, backend, names=self.passes)
        self.run = backend.load(self.optimized)

    @property
    def weights(self) -> dict[str, Tensor]:
        """The weights by name."""
        return {s.name: s.tensor for s in self.program.state}

    def __call__(self, *inputs: Tensor) -> Any:
        """The results, put together as the recorded function did.

        Raises ArgumentError, ShapeError or BackendMismatch for other inputs than were recorded.
        """
        self._check(inputs)
        given = [t.buffer for t in (*(s.tensor for s in self.program.state), *inputs)]
        profile = profiling.get()
        run = self.run
        if profile is not None:
            run = profile.runner(self.optimized, self.backend, run)
        results = [
            Tensor(buffer, *spec(v), self.backend)
            for v, buffer in zip(self.program.outputs, run(given, 0, 0), strict=True)
        ]
        return self.program.structure(results)

    def _check(self, inputs: tuple[Any, ...]) -> None:
        expected = [spec(v) for v in self.program.inputs]
        wrong = [x for x in inputs if not isinstance(x, Tensor)]
        if wrong or len(inputs) != len(expected):
            got = came(wrong[0]) if wrong else len(inputs)
            raise fail(
                ArgumentError,
                "program",
                f"expected {len(expected)} tensors, got {got}; pass what it was recorded with, in "
                "the same order",
            )
        for t, (shape, dtype) in zip(inputs, expected, strict=True):
            if t.backend is not self.backend:
                raise fail(
                    BackendMismatch,
                    "program",
                    f"expected tensors on {self.backend.name!r}, got one on {t.backend.name!r}; "
                    f"move it with .to({self.backend.name!r}), or the program with .to(...)",
                )
            if (t.shape, t.dtype) != (shape, dtype):
                raise fail(
                    ShapeError,
                    "program",
                    f"expected {dtype} {shape}, as when it was recorded, got {t.dtype} {t.shape}; "
                    "save a program for each shape",
                )

    def to(self, backend: Any) -> SavedProgram:
        """The same program with its weights on another backend."""
        target = as_backend(backend)
        state = [Slot(s.tensor.to(target), s.name, s.first, s.last) for s in self.program.state]
        return SavedProgram(replace(self.program, state=state), target, self.passes)

    def save(self, path: str | Path) -> Path:
        """Write it to a file again. Raises BadFile if that cannot be done."""
        from .archive import save_program

        return save_program(self.program, path)

    def __str__(self) -> str:
        return str(self.program)

    def __repr__(self) -> str:
        inputs = ", ".join(f"{v.dtype} {v.shape}" for v in self.program.inputs)
        count = len(self.program.instructions)
        return f"<program of {count} instructions on {self.backend.name!r}, inputs {inputs}>"
