"""Sets that are drawn, not collected. Their names say so: `synthetic_...`.

All chance is etude's Philox, so one seed gives the same set on every backend.
"""

from .sequences import synthetic_echo, synthetic_recall, synthetic_sines
from .shapes import SHAPES, synthetic_shapes
from .strokes import synthetic_pairs, synthetic_strokes
from .text import TAGS, Tagged, synthetic_characters, synthetic_tags, synthetic_text

__all__ = [
    "synthetic_shapes", "SHAPES", "synthetic_strokes", "synthetic_pairs", "synthetic_sines",
    "synthetic_echo", "synthetic_recall", "synthetic_text", "synthetic_characters",
    "synthetic_tags", "Tagged", "TAGS",
]  # fmt: skip
