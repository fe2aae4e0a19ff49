"""All claims, in the order of the courses."""

from __future__ import annotations

from . import codes, descent, generative, networks, regularisers, vision
from .claim import Claim

SUBJECTS = (descent, regularisers, networks, codes, generative, vision)
CLAIMS: list[Claim] = [claim for subject in SUBJECTS for claim in subject.CLAIMS]
