"""Kill a training run with SIGKILL at random moments, resume it, and compare with one left alone.

`python tests/kill.py 200` does it 200 times; tests/test_kill.py does it 30 times.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SURVIVOR = Path(__file__).with_name("survivor.py")


def start(folder: Path) -> subprocess.Popen[bytes]:
    """The survivor as a process of its own."""
    return subprocess.Popen([sys.executable, str(SURVIVOR), str(folder)], stderr=subprocess.PIPE)


def finish(folder: Path) -> Any:
    """Run to the end; the result."""
    process = start(folder)
    _, errors = process.communicate()
    if process.returncode:
        raise RuntimeError(f"the run failed:\n{errors.decode()}")
    return json.loads((folder / "result.json").read_text())


def fresh(folder: Path) -> Path:
    """An empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def kill_many(kills: int, folder: Path, seed: int) -> tuple[int, int]:
    """(kills, finished runs that were compared); raises AssertionError on the first difference."""
    chance = random.Random(seed)
    began = time.perf_counter()
    expected = finish(fresh(folder / "whole"))
    span = time.perf_counter() - began
    killed = compared = 0
    while killed < kills or compared == 0:
        place = fresh(folder / "killed")
        for _ in range(chance.randint(1, 5)):
            process = start(place)
            time.sleep(chance.uniform(0.2, 1.0) * span)
            process.kill()
            process.communicate()
            killed += 1
        assert finish(place) == expected, f"a resumed run differs after {killed} kills, seed {seed}"
        compared += 1
    return killed, compared


if __name__ == "__main__":
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(2**32)
    with tempfile.TemporaryDirectory() as room:
        killed, compared = kill_many(int(sys.argv[1]), Path(room), seed)
    print(f"{killed} kills, {compared} resumed runs, all equal to the bit (seed {seed})")
