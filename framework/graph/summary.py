"""What a model is made of: layers, shapes, parameters, cost and memory, without computing anything.

The model is built and called on a Recorder, so VGG-16's 138 million weights are never allocated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from ..autograd import no_grad
from ..creation import use_backend, zeros
from ..dtypes import DEFAULT
from ..ops.sampling import get_rng_state, set_rng_state
from ..tensor import Tensor
from .program import Program, Slot, flops, multiply_adds
from .recorder import Recorder, gather


@dataclass
class Layer:
    """One call of a module without children."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int  # 0 from the second call of a shared module on
    flops: int
    bytes: int  # of its output; 0 if that shares the input's memory


@dataclass
class Summary:
    """The layers in the order of their calls, and the totals of the whole forward pass."""

    layers: list[Layer] = field(default_factory=list)
    parameters: int = 0
    trainable: int = 0
    parameter_bytes: int = 0
    buffer_bytes: int = 0
    flops: int = 0
    multiply_adds: int = 0  # of convolutions and products alone, as papers count
    activation_bytes: int = 0  # the outputs of all layers, which a backward pass would keep
    peak_bytes: int = 0  # of a forward pass alone, freed after last use
    output: Any = None  # shape, or shapes, of the result

    def _repr_html_(self) -> str:
        from ..visualize.notebook import summary_html

        return summary_html(self)


def summarize(
    make: Callable[[], Any], shapes: Sequence[tuple[int, ...]], dtype: Any = DEFAULT
) -> Summary:
    """Build a model with `make()` and call it, in evaluation mode, on inputs of the given shapes.

    Shapes include the batch axis. The random generator is left as it was.
    """
    recorder = Recorder()  # type: ignore[abstract]
    state = get_rng_state()
    try:
        with use_backend(recorder), no_grad():
            model = make().eval()
            recorder.program = Program()
            inputs = [zeros(shape, dtype=dtype) for shape in shapes]
            recorder.program.inputs = [t.buffer for t in inputs]
            recorder.program.instructions.clear()
            recorder.program.state = [Slot(t, n, t.buffer, t.buffer) for n, t in gather([model])[0]]
            return _call(model, inputs, recorder)
    finally:
        set_rng_state(state)


def _call(model: Any, inputs: list[Tensor], recorder: Recorder) -> Summary:
    found = Summary()
    program = recorder.program
    counted: set[int] = set()
    handles = [
        handle
        for name, module in model.named_modules()
        if not list(module.children())
        for handle in _watch(name or "(model)", module, program, found, counted)
    ]
    try:
        result = model(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    for p in model.parameters():
        found.parameters += prod(p.shape)
        found.trainable += prod(p.shape) * p.requires_grad
        found.parameter_bytes += prod(p.shape) * p.dtype.itemsize
    found.buffer_bytes = sum(prod(b.shape) * b.dtype.itemsize for b in model.buffers())
    results = list(result) if isinstance(result, (tuple, list)) else [result]
    found.output = [t.shape for t in results if isinstance(t, Tensor)]
    program.outputs = [t.buffer for t in results if isinstance(t, Tensor)]
    found.flops = program.flops
    found.multiply_adds = sum(map(multiply_adds, program.instructions))
    found.activation_bytes = sum(layer.bytes for layer in found.layers)
    found.peak_bytes = program.peak_memory()
    return found


def _watch(
    name: str, module: Any, program: Program, found: Summary, counted: set[int]
) -> list[Any]:
    """Hooks that add a Layer for each call of a module."""
    begins: list[int] = []

    def before(_: Any, __: Any) -> None:
        begins.append(len(program.instructions))

    def after(_: Any, __: Any, output: Any) -> None:
        instructions = program.instructions[begins.pop() :]
        outputs = list(output) if isinstance(output, (tuple, list)) else [output]
        tensors = [t for t in outputs if isinstance(t, Tensor)]
        size = sum(prod(t.shape) * t.dtype.itemsize for t in tensors)
        if not instructions or instructions[-1].method == "reshape":
            size = 0  # it returned its input, or a view of it
        fresh = [p for p in module.parameters() if id(p) not in counted]
        counted.update(map(id, fresh))
        found.layers.append(
            Layer(
                name,
                type(module).__name__,
                tensors[0].shape if tensors else (),
                sum(prod(p.shape) for p in fresh),
                sum(map(flops, instructions)),
                size,
            )
        )

    return [module.register_forward_pre_hook(before), module.register_forward_hook(after)]
