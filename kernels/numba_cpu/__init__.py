"""Kernels in Python that Numba compiles to parallel machine code.

They work on flat, C-contiguous NumPy arrays and plain numbers; NumPy is memory to them, and does no
arithmetic. `toolchain` says how they are compiled, `launch` how work is cut among threads. Results
never depend on the number of threads: work is cut into chunks by its size alone, and partial
results are combined in the chunks' order.
"""
