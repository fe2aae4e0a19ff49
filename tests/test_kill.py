"""A run killed with SIGKILL at any moment and resumed is, to the bit, the run never killed."""

from __future__ import annotations

import random

from kill import kill_many


def test_killed_and_resumed_runs_are_equal(tmp_path):
    killed, compared = kill_many(30, tmp_path, random.randrange(2**32))
    assert killed >= 30
    assert compared >= 6
