import json
import math
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from karikomi.errors import InputError
from karikomi.runs.journal import Journal

RECORDS = [
    {"replicate": 0, "round": 0, "loss": 0.1, "note": "größer\n"},
    {"replicate": 1, "curve": [float("nan"), 1.5], "inner": {"done": True, "left": None}},
    {},
    {"replicate": 2, "loss": -math.inf},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("journal")


def bits(value: float) -> bytes:
    return struct.pack(">d", value)


def as_text(records: list[dict]) -> list[str]:
    """Comparable even where a record holds NaN, which equals nothing."""
    return [repr(record) for record in records]


def filled(path: Path) -> Journal:
    journal = Journal(path)
    for record in RECORDS:
        journal.append(record)
    return journal


def test_no_journal_has_no_records(tmp_path):
    assert Journal(tmp_path / "journal.jsonl").records() == []


def test_records_come_back_in_order_one_a_line(tmp_path):
    journal = filled(tmp_path / "journal.jsonl")
    assert as_text(journal.records()) == as_text(RECORDS)
    assert journal.path.read_bytes().count(b"\n") == len(RECORDS)


def test_every_line_is_strict_json(tmp_path):
    def refuse(constant: str):
        raise AssertionError(constant)

    for line in filled(tmp_path / "journal.jsonl").path.read_text().splitlines():
        json.loads(line, parse_constant=refuse)


def test_any_prefix_yields_a_prefix_and_can_be_appended_to(tmp_path):
    content = filled(tmp_path / "whole.jsonl").path.read_bytes()
    journal = Journal(tmp_path / "torn.jsonl")
    for end in range(len(content) + 1):
        journal.path.write_bytes(content[:end])
        kept = as_text(RECORDS[: content[:end].count(b"\n")])
        assert as_text(journal.records()) == kept
        journal.append({"next": end})
        assert as_text(journal.records()) == [*kept, repr({"next": end})]


NANS = [struct.unpack(">d", bytes.fromhex(text))[0] for text in ("fff8000000000000", "7ff8000000000123")]


@given(st.lists(st.floats()))
@example([*NANS, math.nan, math.inf, -math.inf, -0.0, 5e-324])
def test_floats_come_back_bit_for_bit(folder, values):
    journal = Journal(folder / "journal.jsonl")
    journal.append({"values": values})
    record = journal.records()[-1]
    assert [bits(value) for value in record["values"]] == [bits(value) for value in values]


def test_numpy_scalars_and_arrays_come_back_as_numbers_and_lists(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    single = np.float32(0.1)
    journal.append({"i": np.int64(3), "s": single, "a": np.array([[1, 2], [3, 4]]), "b": np.bool_(True), "t": (1, 2)})
    assert journal.records() == [{"i": 3, "s": float(single), "a": [[1, 2], [3, 4]], "b": True, "t": [1, 2]}]


@pytest.mark.parametrize("line", [b'{"a": 1', b"", b"\xff", b"3", b'{"float64 bits": "zz"}', b'{"float64 bits": 1}'])
def test_a_damaged_line_is_named(tmp_path, line):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"a": 1}\n' + line + b'\n{"a": 2}\n')
    with pytest.raises(InputError, match=r"journal\.jsonl, line 2 is damaged"):
        Journal(path).records()


def test_a_record_that_is_not_json_changes_nothing(tmp_path):
    journal = filled(tmp_path / "journal.jsonl")
    before = journal.path.read_bytes()
    with pytest.raises(TypeError):
        journal.append({"a": object()})
    assert journal.path.read_bytes() == before


def test_append_is_on_disk_when_it_returns(tmp_path, monkeypatch):
    synced: list[bytes] = []

    def fsync(descriptor: int):
        # What has reached the file by the time that it is synced is what a power cut would leave.
        synced.append((tmp_path / "journal.jsonl").read_bytes())

    monkeypatch.setattr(os, "fsync", fsync)
    journal = filled(tmp_path / "journal.jsonl")
    assert synced[-1] == journal.path.read_bytes()
