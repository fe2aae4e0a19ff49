"""The claims of the courses: that every experiment runs, and that verdicts follow their criteria.

Whether a claim holds is not tested: it is found out.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from etude.bench import __main__ as command
from etude.bench.claims import catalog, runner
from etude.bench.claims.claim import Claim, Found, both, clearly, in_each, standard_error
from etude.bench.claims.common import first_below, smooth


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
    either = both(grows, clearly("a"))
    assert not either.holds({"a": [0.5], "b": [1.0]})
    assert either.words == "a > b, for each seed; a: mean > 0 by 2 standard errors"


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
    assert "0 of 1 claims hold." in out
    assert "DOES NOT HOLD" in err


def test_an_unknown_claim_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["claims", "--only", "dropuot"]) == 2
    assert "no claim is called 'dropuot'; did you mean 'dropout'?" in capsys.readouterr().err
