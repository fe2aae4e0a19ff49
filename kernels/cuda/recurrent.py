"""Recurrent cells after their products: gates, state and what the gradient needs, at once.

    for n in range(N):
        for j in range(H):                                                   a thread
            i, f, o = sigmoid(a[n, j + {0, H, 3H}]);  g = tanh(a[n, j + 2H])
            c'[n, j] = f c[n, j] + i g;  h'[n, j] = o tanh(c'[n, j])

A step of a layer is a product h W^T and this. It reads 5 numbers and writes 6 for about 40
operations: memory is the limit, and composed of single functions it would pass over them 15 times.
Neighbouring threads have neighbouring j, so each of the reads and writes is contiguous. `added`
variants take the gates (or the incoming gradient) as a sum of two: a layer over time adds the
product with h to what x gave, and would write that sum only to read it again.

Source: Hochreiter & Schmidhuber, "Long short-term memory", 1997; Cho et al., "Learning phrase
representations using RNN encoder-decoder", 2014.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from .functions import function
from .spec import TYPES, Kernel, cuda, int64

BLOCK = 256


def signature(dtype: str, pointers: int) -> tuple[str, ...]:
    """Buffers, then N * H and H."""
    return (dtype + "*",) * pointers + ("int64", "int64")


@cache
def lstm(dtype: str, added: bool = False) -> Kernel:
    """h, c2 (N, H) and act (N, 4H) from gates (N, 4H), `more` if it is added, and c."""
    T, sigmoid, tanh = TYPES[dtype], function("sigmoid", dtype), function("tanh", dtype)

    def kernel(h, c2, act, gates, more, c, size, units):
        t = int64(cuda.grid(1))
        if t < size:
            row = t // units
            at = 3 * row * units + t
            i, f, g, o = at, at + units, at + 2 * units, at + 3 * units
            vi, vf, vg, vo = gates[i], gates[f], gates[g], gates[o]
            if added:
                vi, vf, vg, vo = vi + more[i], vf + more[f], vg + more[g], vo + more[o]
            vi, vf, vg, vo = T(sigmoid(vi)), T(sigmoid(vf)), T(tanh(vg)), T(sigmoid(vo))
            act[i], act[f], act[g], act[o] = vi, vf, vg, vo
            state = T(vf * c[t] + vi * vg)
            c2[t] = state
            h[t] = vo * T(tanh(state))

    name = f"lstm{'_added' if added else ''}_{dtype}"
    return Kernel(name, kernel, signature(dtype, 6), (BLOCK, 1, 1), narrow=dtype == "float32")


@cache
def lstm_grad(dtype: str, added: bool = False) -> Kernel:
    """ggates (N, 4H) and gc (N, H) from gh, `more` if it is added, gc2, act, c and c2."""
    T, tanh = TYPES[dtype], function("tanh", dtype)

    def kernel(ggates, gc, gh, more, gc2, act, c, c2, size, units):
        t = int64(cuda.grid(1))
        if t < size:
            at = 3 * (t // units) * units + t
            i, f, g, o = act[at], act[at + units], act[at + 2 * units], act[at + 3 * units]
            one, up = T(1), gh[t]
            if added:
                up = up + more[t]
            y = T(tanh(c2[t]))
            e = T(gc2[t] + up * o * (one - y * y))
            gc[t] = e * f
            ggates[at] = e * g * i * (one - i)
            ggates[at + units] = e * c[t] * f * (one - f)
            ggates[at + 2 * units] = e * i * (one - g * g)
            ggates[at + 3 * units] = up * y * o * (one - o)

    name = f"lstm_grad{'_added' if added else ''}_{dtype}"
    return Kernel(name, kernel, signature(dtype, 8), (BLOCK, 1, 1), narrow=dtype == "float32")


@cache
def gru(dtype: str) -> Kernel:
    """h2 (N, H) and act (N, 4H) from a and u (N, 3H) and h."""
    T, sigmoid, tanh = TYPES[dtype], function("sigmoid", dtype), function("tanh", dtype)

    def kernel(h2, act, a, u, h, size, units):
        t = int64(cuda.grid(1))
        if t < size:
            row = t // units
            at, to = 2 * row * units + t, 3 * row * units + t
            hidden = u[at + 2 * units]
            r = T(sigmoid(a[at] + u[at]))
            z = T(sigmoid(a[at + units] + u[at + units]))
            n = T(tanh(a[at + 2 * units] + r * hidden))
            act[to], act[to + units], act[to + 2 * units] = r, z, n
            act[to + 3 * units] = hidden
            h2[t] = n + z * (h[t] - n)

    return Kernel(
        f"gru_{dtype}", kernel, signature(dtype, 5), (BLOCK, 1, 1), narrow=dtype == "float32"
    )


@cache
def gru_grad(dtype: str) -> Kernel:
    """ga, gu (N, 3H) and what passes by the gates, keep (N, H), from g, act and h."""
    T = TYPES[dtype]

    def kernel(ga, gu, keep, g, act, h, size, units):
        t = int64(cuda.grid(1))
        if t < size:
            row = t // units
            at, to = 3 * row * units + t, 2 * row * units + t
            r, z, n = act[at], act[at + units], act[at + 2 * units]
            one, up = T(1), g[t]
            passed = T(up * z)
            gn = T((up - passed) * (one - n * n))
            gz = T(up * (h[t] - n) * z * (one - z))
            gr = T(gn * act[at + 3 * units] * r * (one - r))
            keep[t] = passed
            ga[to], ga[to + units], ga[to + 2 * units] = gr, gz, gn
            gu[to], gu[to + units], gu[to + 2 * units] = gr, gz, gn * r

    return Kernel(f"gru_grad_{dtype}", kernel, signature(dtype, 6), (BLOCK, 1, 1))


def catalogue() -> Iterator[Kernel]:
    """All of them."""
    for added in (False, True):
        yield lstm("float32", added)
        yield lstm_grad("float32", added)
    yield gru("float32")
    yield gru_grad("float32")
    yield lstm("float64")
