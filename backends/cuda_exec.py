"""Records as a graph of the device: nodes in a chain, instantiated once, launched by one call.

    record            node                              set anew before a launch
    Launch            kernel, with memory of its own    arguments that are dials
    Copy, Fill        memcpy, memset                    nothing

Each node waits for the one before it, as work on a stream does. The arguments of a node with dials
are packed again before each launch of the graph (cuGraphExecKernelNodeSetParams); all others stay.
Whoever owns the records keeps the memory they point to.

Source: NVIDIA, "CUDA Driver API", section 6.29 (graph management).
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

from . import cuda_runtime as runtime
from .cuda_dial import Dial
from .cuda_record import Copy, Executable, Launch, Listed, Record


def executable(records: Sequence[Record]) -> Executable:
    """The records ready to run: a graph on a device, a list in the simulator."""
    device = runtime.device()
    return Listed(records) if device.simulated else Chain(device, records)


class Arguments:
    """The argument block of one kernel node: eight bytes each, and where each of them is."""

    def __init__(self, plan: Any, arguments: Sequence[Any]) -> None:
        self.plan = plan
        count = max(len(arguments), 1)
        self.memory = ctypes.create_string_buffer(8 * count)
        begin = ctypes.addressof(self.memory)
        self.places = (ctypes.c_void_p * count)(*(begin + 8 * i for i in range(count)))
        self.address = ctypes.addressof(self.places)
        self.set(arguments)

    def set(self, arguments: Sequence[Any]) -> None:
        """Pack the arguments as a launch would, and keep the bytes."""
        with self.plan.lock:
            self.plan.pack(arguments)
            size = min(len(self.memory), len(self.plan.memory))
            self.memory[:size] = self.plan.memory[:size]


class Chain:
    """An executable graph."""

    def __init__(self, driver: Any, records: Sequence[Record]) -> None:
        self.driver, self.kept = driver, list[Any]()
        self.turned: list[tuple[Any, Any, Arguments, tuple[Any, ...]]] = []
        driver.enter()
        self.nodes = driver.call("cuGraphCreate", 0)  # its nodes are how those of `graph` are named
        node = None
        for r in records:
            node = self._node(self.nodes, [] if node is None else [node], r)
        self.graph = driver.call("cuGraphInstantiate", self.nodes, 0)

    def __del__(self) -> None:
        for name, end in (("graph", "cuGraphExecDestroy"), ("nodes", "cuGraphDestroy")):
            if hasattr(self, name):
                self.driver.call(end, getattr(self, name))

    def _node(self, graph: Any, after: list[Any], r: Record) -> Any:
        call, api = self.driver.call, self.driver.api
        if isinstance(r, Launch):
            return self._kernel(graph, after, r)
        if isinstance(r, Copy):
            what = api.CUDA_MEMCPY3D()
            what.srcMemoryType = what.dstMemoryType = api.CUmemorytype.CU_MEMORYTYPE_DEVICE
            what.srcDevice, what.dstDevice = r.source, r.target
            what.WidthInBytes, what.Height, what.Depth = r.bytes, 1, 1
            return call("cuGraphAddMemcpyNode", graph, after, len(after), what, self.context)
        fill = api.CUDA_MEMSET_NODE_PARAMS()
        fill.dst, fill.value, fill.elementSize = r.target, r.byte, 1
        fill.width, fill.height = r.bytes, 1
        return call("cuGraphAddMemsetNode", graph, after, len(after), fill, self.context)

    @property
    def context(self) -> Any:
        return self.driver.context

    def _kernel(self, graph: Any, after: list[Any], r: Launch) -> Any:
        plan = self.driver.plan(r.kernel)
        now = [a.now() if type(a) is Dial else a for a in r.arguments]
        arguments = Arguments(plan, now)
        node = self.driver.api.CUDA_KERNEL_NODE_PARAMS()
        node.func = plan.function
        node.gridDimX, node.gridDimY, node.gridDimZ = r.grid
        node.blockDimX, node.blockDimY, node.blockDimZ = r.block
        node.sharedMemBytes, node.kernelParams = r.kernel.shared, arguments.address
        self.kept.append(arguments)
        made = self.driver.call("cuGraphAddKernelNode", graph, after, len(after), node)
        if r.dials():
            self.turned.append((made, node, arguments, r.arguments))
        return made

    def run(self) -> None:
        """Set what the dials show now, and put the graph on the stream."""
        driver = self.driver
        driver.enter()
        for made, node, arguments, given in self.turned:
            arguments.set([a.now() if type(a) is Dial else a for a in given])
            driver.call("cuGraphExecKernelNodeSetParams", self.graph, made, node)
        driver.call("cuGraphLaunch", self.graph, driver.stream)
