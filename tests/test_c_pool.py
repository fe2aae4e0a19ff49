"""The C backend's thread pool: stress, ThreadSanitizer, numbers of threads, forks, the end."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sanitize_pool import build, compiler, stress

pytestmark = pytest.mark.skipif(
    shutil.which(compiler().split()[0]) is None, reason="no C compiler here"
)


def test_every_number_is_visited_once(tmp_path: Path) -> None:
    built = build(str(tmp_path), "-Wall", "-Wextra", "-Werror")
    assert built.returncode == 0, built.stderr
    done = stress(str(tmp_path), "5000")
    assert (done.stdout, done.returncode) == ("good\n", 0)


def test_the_thread_sanitizer_finds_no_race(tmp_path: Path) -> None:
    built = build(str(tmp_path), "-fsanitize=thread")
    if "tsan" in built.stderr:
        pytest.skip("this compiler has no ThreadSanitizer")
    assert built.returncode == 0, built.stderr
    done = stress(str(tmp_path), "2000", "no-fork")
    assert (done.stdout, done.returncode) == ("good\n", 0), done.stderr
