"""Kernels in plain Python, over `array.array`. They are there to be read and to be the referee.

A kernel writes its result into `out`; the arrays it is given have the right sizes.
"""
