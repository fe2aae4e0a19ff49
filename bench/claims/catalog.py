"""All claims, in the order of the courses."""

from __future__ import annotations

from types import ModuleType

from . import (
    codes,
    common,
    descent,
    detection,
    generative,
    networks,
    recurrence,
    regularisers,
    reuse,
    segmentation,
    vision,
)
from .claim import Claim

SUBJECTS: tuple[ModuleType, ...] = (
    descent, regularisers, networks, recurrence, reuse, codes, generative, vision, detection,
    segmentation,
)  # fmt: skip
CLAIMS: list[Claim] = [claim for subject in SUBJECTS for claim in subject.CLAIMS]
CACHED = (common.digits, regularisers.baseline, generative.judge, detection.shapes)
