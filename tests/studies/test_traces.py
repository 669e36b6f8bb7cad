"""A forward is traced once, however many questions a run asks about its network."""

import pytest
from torch import fx

import karikomi

SMALL = {"network": "mlp-12-8", "iterations": 20, "validation": 500, "validate_every": 20, "replicates": 2}
STUDIES = {
    "lottery": {"rounds": 1},
    "lesion": {"scoring": 200, "orders": 2, "criteria": ["taylor"], "timing": ["static", "adaptive"]},
    "importance": {"scoring": 200, "shapley": 2, "pairs": 2},
    "ageing": {"scoring": 200, "cycles": 2, "deaths": 1, "retraining": 5, "arms": ["none", "retrain", "regrowth"]},
}


@pytest.mark.parametrize("study", STUDIES)
def test_a_run_traces_its_network_once(study: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    traced, trace = [], fx.symbolic_trace
    monkeypatch.setattr(fx, "symbolic_trace", lambda module: traced.append(module) or trace(module))
    getattr(karikomi, study)(out=tmp_path / "run", quiet=True, engine="population", **SMALL, **STUDIES[study])
    assert len(traced) == 1
