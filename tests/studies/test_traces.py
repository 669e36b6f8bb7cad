"""A forward is recorded once, however many questions a run asks about its network."""

from typing import Any

import pytest
from torch import nn

import karikomi
from karikomi.networks.tape import Tape, record

SMALL = {"network": "mlp-12-8", "iterations": 20, "validation": 500, "validate_every": 20, "replicates": 2}
STUDIES = {
    "lottery": {"rounds": 1},
    "lesion": {"scoring": 200, "orders": 2, "criteria": ["taylor"], "timing": ["static", "adaptive"]},
    "importance": {"scoring": 200, "shapley": 2, "pairs": 2},
    "ageing": {"scoring": 200, "cycles": 2, "deaths": 1, "retraining": 5, "arms": ["none", "retrain", "regrowth"]},
}


@pytest.mark.parametrize("study", STUDIES)
def test_a_run_records_its_network_once(study: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = []

    def counted(module: nn.Module, *given: Any) -> Tape:
        recorded.append(module)
        return record(module, *given)

    monkeypatch.setattr("karikomi.networks.architecture.record", counted)
    getattr(karikomi, study)(out=tmp_path / "run", quiet=True, engine="population", **SMALL, **STUDIES[study])
    assert len(recorded) == 2, "once on three examples, once on two, in evaluation"
