"""The kernels in C: one source, built once for each instruction set (extensions.py)."""
