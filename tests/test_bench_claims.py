"""The claims of the courses: that every experiment runs, and that verdicts follow their criteria.

Whether a claim holds is not tested: it is found out.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from etude.bench import __main__ as command
from etude.bench.claims import catalog, runner
from etude.bench.claims.claim import (
    T_ONE_SIDED,
    Claim,
    Found,
    both,
    clearly,
    in_each,
    standard_error,
)
from etude.bench.claims.common import first_below, smooth
from etude.framework.errors import MissingLibrary


def test_every_experiment_runs_draws_and_is_written_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    assert command.main(["claims", "--quick", "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    found = json.loads((tmp_path / "claims.json").read_text())["claims"]
    assert [record["name"] for record in found] == [claim.name for claim in catalog.CLAIMS]
    for record in found:
        assert record["name"] in shown
        assert (tmp_path / record["figure"]).read_bytes().startswith(b"\x89PNG")
        assert all(len(values) == 1 for values in record["effects"].values())


def test_claims_have_names_of_their_own_decks_and_criteria() -> None:
    names = [claim.name for claim in catalog.CLAIMS]
    assert len(set(names)) == len(names) >= 24
    for claim in catalog.CLAIMS:
        assert set(claim.decks.split()) <= {"D0", "D1", "D2", "D3", "D4"}, claim.name
        assert claim.statement, claim.name
        assert claim.verdict.words, claim.name


def test_verdicts() -> None:
    grows = in_each("a > b", lambda e: e["a"] > e["b"])
    assert grows.holds({"a": [2.0, 3.0], "b": [1.0, 1.0]})
    assert not grows.holds({"a": [2.0, 1.0], "b": [1.0, 1.0]})
    assert grows.words == "a > b, for each seed"
    assert standard_error([1.0, 3.0]) == pytest.approx(1.0)
    assert clearly("a").holds({"a": [1.0, 1.1, 0.9]})
    assert not clearly("a").holds({"a": [1.0, -0.9, 0.2]})
    assert not clearly("a", 1.0).holds({"a": [1.0, 1.1, 0.9]})
    assert not clearly("a").holds({"a": [1.0]})
    either = both(grows, clearly("a"))
    assert not either.holds({"a": [0.5, 0.6], "b": [1.0, 1.0]})
    assert either.words == (
        "a > b, for each seed; a > 0 for each seed, and their mean by a t test at 5 %"
    )


def test_the_t_test_has_the_quantiles_of_student() -> None:
    """With 2 degrees of freedom t = (2 p - 1) sqrt(2 / (4 p (1 - p))), with 1 tan(pi (p - 1/2))."""
    assert pytest.approx(math.tan(0.45 * math.pi), abs=0.01) == T_ONE_SIDED[0]
    assert pytest.approx(0.9 * math.sqrt(2 / (4 * 0.95 * 0.05)), abs=0.01) == T_ONE_SIDED[1]
    level = T_ONE_SIDED[1] / math.sqrt(3)  # of the mean of three, in deviations
    for shift, holds in ((1.01, True), (0.99, False)):
        assert clearly("a").holds({"a": [level * shift + d for d in (-1, 0, 1)]}) is holds


@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_a_claim_without_a_number_does_not_hold(value: float) -> None:
    claim = Claim("a", "D0", "holds", "none", clearly("a"), lambda setting: Found({"a": value}))
    record = runner.tried(claim, range(1, 3), False, None)
    assert record["holds"] is False
    json.dumps(record, allow_nan=False)


def test_curves_are_smoothed_and_searched() -> None:
    assert smooth([1.0, 3.0, 5.0, 7.0], 2) == ([1.0, 3.0], [2.0, 6.0])
    assert first_below([4.0, 3.0, 2.0, 1.0], 2.6, width=2) == 3
    assert first_below([4.0, 3.0], 0.1, width=2) == 3


def test_a_claim_that_fails_is_reported_and_no_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs: list[Any] = []

    def run(setting: Any) -> Found:
        runs.append(setting.seed)
        return Found({"size": float(setting.seed), "wild": float("nan")})

    wrong = Claim("small", "D0", "seeds are small", "none", in_each("size < 2", lambda e:
                  e["size"] < 2), run)  # fmt: skip
    monkeypatch.setattr(runner, "CLAIMS", [wrong])
    assert command.main(["claims", "--seeds", "2", "--backend", "numpy"]) == 0
    out, err = capsys.readouterr()
    assert runs == [1, 2]
    assert "does not hold" in out
    assert "size 1.5 ± 0.71" in out
    assert "0 of 1 claims hold. A t test" in out
    assert "DOES NOT HOLD" in err


def test_seeds_begin_where_they_are_told_to(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    runs: list[int] = []

    def run(setting: Any) -> Found:
        runs.append(setting.seed)
        return Found({"a": 1.0})

    claim = Claim("one", "D0", "holds", "none", clearly("a"), run)
    monkeypatch.setattr(runner, "CLAIMS", [claim])
    words = ["claims", "--backend", "numpy", "--out", str(tmp_path), "--first-seed", "501"]
    assert command.main([*words, "--seeds", "2"]) == 0
    assert runs == [501, 502]
    assert "seeds 501 to 502" in capsys.readouterr().out
    assert json.loads((tmp_path / "claims.json").read_text())["seeds"] == [501, 502]


WRONG = [
    (["--only", "dropuot"], "no claim is called 'dropuot'; did you mean 'dropout'?"),
    (["--seeds", "0"], "--seeds: expected a whole number from 1 to 1,000,000, got '0'"),
    (["--first-seed", "-1"], "--first-seed: expected a whole number from 1 to 1,000,000, got '-1'"),
    (["--first-seed", "1e3"], "expected a whole number from 1 to 1,000,000, got '1e3'"),
    (["--first-seed", "9999999"], "from 1 to 1,000,000, got '9999999'"),
    (["--backend", "cuda9"], "invalid choice: 'cuda9'"),
]


@pytest.mark.parametrize("words, message", WRONG, ids=[w[1] for w in WRONG])
def test_what_is_wrong_is_said(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main(["claims", *words])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "error, code, message",
    [(KeyboardInterrupt(), 130, "stopped"), (MissingLibrary("[digits] needs sklearn"), 2, "needs")],
    ids=["interrupt", "library"],
)
def test_what_was_finished_is_kept(
    error: BaseException, code: int, message: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], tmp_path: Path,
) -> None:  # fmt: skip
    pytest.importorskip("matplotlib")

    def fails(setting: Any) -> Found:
        raise error

    runs = (lambda setting: Found({"a": 1.0}), fails)
    claims = [
        Claim(f"claim{i}", "D0", "holds", "none", clearly("a"), r) for i, r in enumerate(runs)
    ]
    monkeypatch.setattr(runner, "CLAIMS", claims)
    words = ["claims", "--backend", "numpy", "--out", str(tmp_path)]
    assert command.main(words) == code
    out, err = capsys.readouterr()
    assert "1 of 1 claims hold." in out
    assert message in err
    found = json.loads((tmp_path / "claims.json").read_text())["claims"]
    assert [record["name"] for record in found] == ["claim0"]
