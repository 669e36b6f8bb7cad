"""Weights & Biases offline: the file that `wandb sync` would send."""

import json
import struct

import pytest

from karikomi.studies.written import named_tables
from karikomi.tracking import tracker
from karikomi.tracking.record import Record

wandb = pytest.importorskip("wandb", reason="needs pip install 'karikomi[wandb]'")
written = pytest.importorskip("wandb.proto.wandb_internal_pb2")

BLOCK, HEADER, FULL, LAST = 32768, 7, 1, 4
"""Of the log format that W&B writes, LevelDB's: blocks of records in pieces, each behind a header."""


def read(file):
    """The records of a .wandb file."""
    data, at, parts = file.read_bytes(), HEADER, b""
    while at + HEADER <= len(data):
        if BLOCK - at % BLOCK < HEADER:
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + HEADER])
        parts += data[at + HEADER : at + HEADER + length]
        at += HEADER + length
        if kind in (FULL, LAST):
            yield written.Record.FromString(parts)
            parts = b""


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """Gives the runs that are written."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return lambda: sorted(tmp_path.glob("wandb/offline-run-*/*.wandb"))


def test_a_run_is_written_once(offline, result) -> None:
    told = tracker("wandb")(result)
    [file] = offline()
    assert told == f"Weights & Biases, run tickets: {file.parent}"
    assert tracker("wandb")(result) == "Weights & Biases, run tickets: is there already"
    assert offline() == [file]
    wandb.teardown()  # its service writes the file on, as long as this process needs it

    record, records = Record(result), list(read(file))
    [run] = [each.run for each in records if each.WhichOneof("record_type") == "run"]
    assert (run.run_id, run.display_name, run.notes) == (result.folder.identity[:16], "tickets", record.note)
    config = {each.key: json.loads(each.value_json) for each in run.config.update}
    assert record.settings.items() <= config.items()
    assert config["karikomi/identity"] == result.folder.identity
    assert config["karikomi/answer"] == result.summary().headline

    rows = [
        {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in each.history.item}
        for each in records
        if each.WhichOneof("record_type") == "history"
    ]
    for line, name in (
        ("validation_accuracy/ticket/12.5 %", "validation_accuracy/ticket_12_5_percent"),
        ("test_accuracy/ticket", "test_accuracy/ticket"),
    ):
        [shown] = [each for each in record.lines if each.name == line]
        for side, ending in (("mean", ""), ("low", "_low"), ("high", "_high")):
            expected = [(step, value) for each, step, value in shown.values() if each == side]
            found = [(row[shown.unit], row[name + ending]) for row in rows if name + ending in row]
            assert found == expected
    assert (rows[-1]["figures/accuracy/width"], rows[-1]["page/_type"]) == (6, "html-file")
    assert (file.parent / "files" / rows[-1]["page/path"]).read_bytes() == record.page.read_bytes()
    [tables] = [each.artifact for each in records if each.WhichOneof("record_type") == "artifact"]
    kept = {entry.path.removesuffix(".csv"): entry.size for entry in tables.manifest.contents}
    assert kept.keys() == {*named_tables(result)}
    assert kept["table"] == len(result.table.to_csv(index=False))
