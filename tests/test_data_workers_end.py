"""Programs that use loader workers end cleanly, however they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

CONTEXTS = ["forkserver", "spawn"]
HEAD = """
import etude, os, time
from etude.framework.data import DataLoader
import worker_samples as samples
"""
ALIVE = """
if __name__ == "__main__":
    loader = DataLoader(samples.Numbers(90), num_workers=2, multiprocessing_context=CONTEXT,
                        persistent_workers=True)
    list(loader)
    kept = iter(loader), iter(loader)
    for batches in kept:
        next(batches)
    print("ready", flush=True)
"""
WAITS = """
if __name__ == "__main__":
    hang = samples.Trouble("hang", 2)
    loader = DataLoader(samples.Numbers(9), num_workers=2, multiprocessing_context=CONTEXT,
                        transform=hang)
    for x, in loader:
        if x.item() == 1:
            print("ready", flush=True)
"""
UNGUARDED = """
for x in DataLoader(samples.Numbers(9), num_workers=2, multiprocessing_context=CONTEXT):
    pass
"""


def start(tmp_path: Path, body: str, context: str) -> subprocess.Popen[str]:
    """Run a script in a process group of its own, all warnings errors, leaks reported."""
    script = tmp_path / "script.py"
    script.write_text(HEAD + body.replace("CONTEXT", repr(context)))
    return subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
    )


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What it wrote. Returns when nobody holds its output any more: its children have ended too."""
    try:
        return process.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise


@pytest.mark.parametrize("context", CONTEXTS)
def test_an_interpreter_that_ends_in_an_epoch_ends_quietly(tmp_path: Path, context: str) -> None:
    process = start(tmp_path, ALIVE, context)
    assert finish(process) == ("ready\n", "")
    assert process.returncode == 0


@pytest.mark.parametrize("context", CONTEXTS)
def test_ctrl_c_is_heard_by_the_parent_alone(tmp_path: Path, context: str) -> None:
    process = start(tmp_path, WAITS, context)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT)
    _, errors = finish(process)
    assert errors.count("Traceback") == 1
    assert errors.endswith("\nKeyboardInterrupt\n")


def test_workers_of_a_killed_parent_end(tmp_path: Path) -> None:
    process = start(tmp_path, WAITS, "forkserver")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.kill()
    assert finish(process) == ("", "")


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_script_without_a_guard_is_told_so(tmp_path: Path, context: str) -> None:
    _, errors = finish(start(tmp_path, UNGUARDED, context))
    assert errors.count("Traceback") == 1
    assert "imported the script that is run, which started workers of its own" in errors
    assert 'under `if __name__ == "__main__":`' in errors


PROMPT = """
class Mine(samples.Numbers):
    pass

list(DataLoader(Mine(4), num_workers=1))
"""


def test_a_class_that_is_in_no_file_is_told_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HEAD + PROMPT],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        timeout=60,
    )
    message = "AttributeError: Can't get attribute 'Mine' on <module '__main__'"
    assert f"a worker could not load the dataset and transform: {message}" in done.stderr
    assert "define their classes and functions in a file" in done.stderr
