"""How many digits products of float32 keep: one setting of the process, as in torch."""

from __future__ import annotations

# What each name allows, and how the CUDA backend's tiles of it are called ("" is plain float32).
PRECISIONS = {"highest": "", "high": "tf32", "medium": "bf16"}


class _Setting:
    name = "highest"


def set_float32_matmul_precision(precision: str) -> None:
    """Say how exact matrix products and convolutions of float32 have to be.

    Results are float32 in any case, and sums are formed in float32; what may be rounded are the
    factors. A backend without faster products of fewer digits, which is each but CUDA, computes
    with all digits whatever is set.

    precision: "highest" (the default), all 24 bits; "high", TensorFloat-32 with 11 bits;
        "medium", bfloat16 with 8 bits.
    Raises ValueError for another name.
    Source: torch.set_float32_matmul_precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(
            f"[set_float32_matmul_precision] expected {', '.join(map(repr, PRECISIONS))}, "
            f"got {precision!r}"
        )
    _Setting.name = precision


def get_float32_matmul_precision() -> str:
    """What `set_float32_matmul_precision` was last given; "highest" at first.

    Source: torch.get_float32_matmul_precision.
    """
    return _Setting.name


def tile_kind() -> str:
    """The kind of tiles that the setting allows: "", "tf32" or "bf16"."""
    return PRECISIONS[_Setting.name]
