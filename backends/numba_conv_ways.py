"""Convolution on Numba by ways that are for some shapes alone: the first that fits and succeeds.

Shapes have two axes; geometry = (stride, padding, dilation). Each function says whether it is done.
"""

from __future__ import annotations

from typing import Any

from . import numba_conv_batch, numba_conv_lanes, numba_winograd
from .numba_conv_batch import Call, Geometry
from .tier1 import Shape

Shapes = tuple[Shape, Shape, Shape]  # of the images, of the weights, of the results


def convolve(
    y: Any, x: Any, w: Any, b: Any, shapes: Shapes, geometry: Geometry, groups: int, call: Call
) -> bool:
    """y = the convolution of x."""
    if numba_conv_batch.fits(*shapes, groups, x.dtype):
        pairs = numba_conv_batch.all_pairs(*shapes, geometry)
        if pairs.all_taps and numba_conv_batch.convolve(y, x, w, b, pairs.forward, call):
            return True
    *_, rooms, workers = call
    if numba_winograd.pays(x, w, shapes[2], *geometry, groups) and numba_winograd.convolve(
        y, x, w, b, geometry[1], rooms, workers
    ):
        return True
    planes = shapes[0][2:], shapes[2][2:], shapes[1][2:]
    return groups == 1 and numba_conv_lanes.convolve(y, x, w, b, planes, geometry, rooms, workers)


def input_grad(
    gx: Any, g: Any, w: Any, shapes: Shapes, geometry: Geometry, groups: int, call: Call
) -> bool:
    """gx = the gradient for x."""
    if numba_conv_batch.fits(*shapes, groups, g.dtype):
        pairs = numba_conv_batch.all_pairs(*shapes, geometry)
        if numba_conv_batch.convolve(gx, g, w, None, pairs.back, call, True):
            return True
    *_, rooms, workers = call
    if numba_winograd.pays(g, w, shapes[0], *geometry, groups) and numba_winograd.convolve(
        gx, g, w, None, geometry[1], rooms, workers, True
    ):
        return True
    planes = shapes[0][2:], shapes[2][2:], shapes[1][2:]
    return groups == 1 and numba_conv_lanes.convolve(
        gx, g, w, None, planes, geometry, rooms, workers, True
    )


def weight_grad(
    gw: Any, x: Any, g: Any, shapes: Shapes, geometry: Geometry, groups: int, call: Call
) -> bool:
    """gw = the gradient for the weights."""
    if numba_conv_batch.fits(*shapes, groups, g.dtype):
        pairs = numba_conv_batch.all_pairs(*shapes, geometry)
        if numba_conv_batch.weight_grad(gw, x, g, pairs.forward, call):
            return True
    *_, rooms, workers = call
    stride, padding, dilation = geometry
    if numba_winograd.pays(x, gw, shapes[2], *geometry, groups) and numba_winograd.weight_grad(
        gw, x, g, padding, rooms, workers
    ):
        return True
    return groups == 1 == max(dilation) and numba_conv_lanes.weight_grad(
        gw, x, g, shapes, stride, padding, rooms, workers
    )
