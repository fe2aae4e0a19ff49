"""The error function's polynomials: near 0 in x^2, further out what is left of the tail.

    |x| <= 1:   erf(x) = x P(x^2)
    |x| > 1:    erf(x) = sign(x) (1 - e^(-x^2) R(t)),   t = (|x| - 2) / (|x| + 2)

e^(x^2) erfc(x) falls slowly and smoothly; as a function of t, which maps 1 ... 6 to -1/3 ... 1/2,
it is nearly a polynomial: degree 14 leaves 1e-17, where in x itself it would take 40. The
coefficients interpolate the functions at Chebyshev's points, computed with 40 digits; P's relative
error is 2e-19 (float32: 2e-9), that of the whole second formula 1e-17 (float32: 3e-9).
"""

from __future__ import annotations

NEAR = (
    *(5.9571761477489114e-11, -1.13728488567916737e-9, 1.46597752740474358e-8),
    *(-1.6350312701054695e-7, 1.6461000484121368e-6, -1.49255952668311816e-5),
    *(0.000120553311116427109, -0.000854832698083378991, 0.00522397762481801447),
    *(-0.0268661706450767932, 0.112837916709548787, -0.376126389031837481, 1.12837916709551257),
)
NEAR_SINGLE = (
    *(7.875875063e-5, -0.0008016864287, 0.005189087423, -0.02685421201),
    *(0.1128359472, -0.3761262667, 1.128379166),
)
FAR = (
    *(3.91705929992538851e-6, 1.82014319597500905e-6, -1.40675326945820577e-5),
    *(-2.76473054436100538e-5, 2.75431281856667173e-5, 0.000174366972329468635),
    *(4.35542024527058955e-5, -0.000981977320813102272, -0.000847143198076042359),
    *(0.00699746174775357363, 0.00373289240349223978, -0.0789785810158525347),
    *(0.241658194242469857, -0.427185847413957885, 0.255395676310505745),
)
FAR_SINGLE = (
    *(-0.0008379754387, 0.006811140131, 0.003732371759, -0.07896830613),
    *(0.2416582015, -0.4271859898, 0.2553956763),
)


def coefficients(single: bool) -> dict[str, tuple[float, ...]]:
    """The two polynomials for float32 or float64, highest powers first."""
    if single:
        return {"ERF_NEAR": NEAR_SINGLE, "ERF_FAR": FAR_SINGLE}
    return {"ERF_NEAR": NEAR, "ERF_FAR": FAR}
