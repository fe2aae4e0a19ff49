"""The CUDA backend: kernels in Python (kernels/cuda), compiled for the GPU that is there.

This file puts the families together; cuda_runtime.py has the device, its memory and its stream.
With ETUDE_CUDA=simulate in the environment the same kernels run on the processor, thread by thread:
slowly, and watched.
"""

from __future__ import annotations

from ..kernels.cuda import toolchain
from . import cuda_runtime as runtime
from .base import Backend
from .cuda_conv import CudaConv
from .cuda_dlpack import CudaInterchange
from .cuda_elementwise import CudaElementwise, CudaFused
from .cuda_graph import CudaGraphs
from .cuda_group_norm import CudaGroupNorm
from .cuda_index import CudaIndex
from .cuda_layout import CudaLayout
from .cuda_matmul import CudaMatmul
from .cuda_norm import CudaNorm
from .cuda_optim import CudaOptim
from .cuda_pool import CudaPool
from .cuda_random import CudaRandom
from .cuda_recurrent import CudaRecurrent
from .cuda_reduce import CudaReduce
from .cuda_softmax import CudaSoftmax
from .cuda_unfold import CudaUnfold
from .tier1 import Buffer, Shape


class CudaBackend(
    CudaGraphs,
    CudaInterchange,
    CudaElementwise,
    CudaFused,
    CudaReduce,
    CudaLayout,
    CudaIndex,
    CudaUnfold,
    CudaRandom,
    CudaMatmul,
    CudaConv,
    CudaRecurrent,
    CudaPool,
    CudaNorm,
    CudaGroupNorm,
    CudaSoftmax,
    CudaOptim,
    Backend,
):
    name = "cuda"

    def __init__(self) -> None:
        runtime.start()

    @property
    def compile_seconds(self) -> float:
        return toolchain.seconds()

    def release_memory(self) -> None:
        runtime.release_memory()

    def from_host(self, data: memoryview, shape: Shape, dtype: str) -> Buffer:
        return runtime.from_host(data, tuple(shape), dtype)

    def to_host(self, x: Buffer) -> memoryview:
        return runtime.to_host(x)

    def dtype(self, x: Buffer) -> str:
        return str(x.dtype)

    def empty(self, shape: Shape, dtype: str) -> Buffer:
        return runtime.empty(tuple(shape), dtype)

    def reshape(self, x: Buffer, shape: Shape) -> Buffer:
        return runtime.view(x, 0, tuple(shape), x.dtype)

    def synchronize(self) -> None:
        runtime.synchronize()
