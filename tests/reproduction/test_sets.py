"""The sets that ship: whole, accepted by their studies at every scale, and measurable."""

import re
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

import karikomi
from karikomi.claims import SETS, theirs
from karikomi.claims.claim import SCALES, read_claims
from karikomi.reproduction.measured import values
from karikomi.reproduction.runs import plan
from karikomi.studies.result import Result
from karikomi.studies.run import run

ROOT = Path(__file__).parents[2]

SHRUNK = {"iterations": 4, "epochs": None, "batch": 20, "validation": 200, "validate_every": 2, "replicates": 2}
SHRUNK |= {"scoring": 100, "orders": 2, "examples": 50, "reinits": 1, "cycles": 2, "retraining": 2, "every": 2}


@pytest.mark.parametrize("name", SETS)
def test_a_set_is_whole_and_its_settings_are_accepted_at_every_scale(name):
    called, claims = read_claims(name)
    assert called == name
    for planned in plan(name, claims).values():
        assert set(planned.settings) == set(SCALES)
        replicates = [planned.settings[scale].replicates for scale in SCALES]
        assert replicates == sorted(replicates)
        assert replicates[0] > 2, "fewer hardly have an interval"
    for which, claim in claims.claims.items():
        assert claim.margin, f"{which} does not say why its threshold lies there"
        assert theirs(name, which) == claim.theirs
    asked = {selection.run for claim in claims.claims.values() for selection in claim.measure.selections}
    assert asked == set(claims.runs), "a run that no claim asks for"


@pytest.mark.parametrize("name", SETS)
def test_every_claim_of_a_set_is_measured_in_every_replicate(name, tiny, tmp_path):
    _, claims = read_claims(name)
    results = {}
    for which, planned in plan(name, claims).items():
        settings = planned.settings["default"]
        given = {key: value for key, value in SHRUNK.items() if key in type(settings).model_fields}
        with mock.patch.object(Result, "draw"):
            results[which] = run(planned.study, settings.changed(**given, data=tiny), out=tmp_path / which, quiet=True)
    for which, claim in claims.claims.items():
        found = values(claim.measure, results)
        assert len(found) == 2, which
        assert np.isfinite(found).all() or claim.measure.over is not None, which


def test_every_set_is_named_by_help_page_and_docstring(command):
    _, shown, _ = command("reproduce", "--help")
    page = (ROOT / "docs" / "reproduce.md").read_text()
    for name in SETS:
        assert name in shown
        assert f"| `{name}` |" in page
        assert name in (karikomi.reproduce.__doc__ or "")


def test_the_file_of_claims_that_the_page_shows_is_a_right_one(tmp_path):
    page = (ROOT / "docs" / "reproduce.md").read_text()
    [shown] = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    file = tmp_path / "mine.toml"
    file.write_text(shown)
    name, claims = read_claims(str(file))
    assert list(plan(name, claims)) == ["small"]
