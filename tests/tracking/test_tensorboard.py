"""Event files, as TensorBoard's own reader sees them."""

import numpy as np
import pytest

from karikomi.tracking import tracker
from karikomi.tracking.record import Record

event_accumulator = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator", reason="needs pip install 'karikomi[tensorboard]'"
)


def read(folder):
    events = event_accumulator.EventAccumulator(str(folder), size_guidance=dict.fromkeys(("scalars", "tensors"), 0))
    return events.Reload()


def text(events, tag):
    return events.Tensors(f"{tag}/text_summary")[0].tensor_proto.string_val[0].decode()


def test_a_run_is_read_back(result, tmp_path) -> None:
    record = Record(result)
    told = tracker(f"tensorboard:{tmp_path / 'board'}")(result)
    [folder] = (tmp_path / "board").iterdir()
    assert folder.name == f"lottery-{result.folder.identity[:8]}"
    assert told == f"TensorBoard: tensorboard --logdir {tmp_path / 'board'}, run {folder.name}"
    sides = {side: read(folder / name) for side, name in (("mean", ""), ("low", "low"), ("high", "high"))}
    for side, events in sides.items():
        expected = {
            line.name: [(step, np.float32(value)) for s, step, value in line.values() if s == side]
            for line in record.lines
        }
        found = {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
        assert found == {tag: points for tag, points in expected.items() if points}
    main = sides["mean"]
    assert text(main, "answer") == record.note
    assert result.folder.identity in text(main, "run")
    assert {f"tables/{table.title}/text_summary" for table in result.summary().tables} <= {*main.Tags()["tensors"]}
    image = main.Images("figures/accuracy")[0]
    assert (image.width, image.height) == (6, 4)


def test_settings_are_hyperparameters(result, tmp_path) -> None:
    from tensorboard.plugins.hparams import plugin_data_pb2

    tracker(f"tensorboard:{tmp_path / 'board'}")(result)
    [folder] = (tmp_path / "board").iterdir()
    given = read(folder).summary_metadata["_hparams_/session_start_info"].plugin_data.content
    stored = plugin_data_pb2.HParamsPluginData.FromString(given).session_start_info.hparams
    found = {name: getattr(value, value.WhichOneof("kind")) for name, value in stored.items()}
    assert found == Record(result).settings


def test_it_is_written_once_and_whole(result, tmp_path, monkeypatch) -> None:
    board = tmp_path / "board"
    monkeypatch.setattr(Record, "images", property(lambda record: [tmp_path / "absent.png"]))
    with pytest.raises(ValueError, match=r"tensorboard does not take the run: .*absent.png"):
        tracker(f"tensorboard:{board}")(result)
    assert not any(board.iterdir())
    monkeypatch.undo()
    tracker(f"tensorboard:{board}")(result)
    before = {file: file.read_bytes() for file in board.rglob("*") if file.is_file()}
    assert tracker(f"tensorboard:{board}")(result).endswith("is there already")
    assert before == {file: file.read_bytes() for file in board.rglob("*") if file.is_file()}
