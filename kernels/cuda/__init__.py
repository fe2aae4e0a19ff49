"""The kernels of the CUDA backend: plain Python functions, one thread's work each.

`spec.py` says what a kernel is and which names it may use; `rewrite.py` swaps those names for the
compiler's or the simulator's; `toolchain.py` compiles, caches and launches; `simulator.py` runs the
same functions on the processor, thread by thread; `catalogue.py` lists every kernel.
"""
