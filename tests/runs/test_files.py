import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from karikomi.errors import InputError
from karikomi.runs.files import (
    PARTIAL,
    read_arrays,
    read_whole,
    remove_partials,
    write_arrays,
    write_whole,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


def test_write_whole_replaces_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "file"
    write_whole(path, b"old")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_write_whole_gives_the_usual_permissions(tmp_path):
    (tmp_path / "usual").write_bytes(b"")
    write_whole(tmp_path / "whole", b"")
    assert (tmp_path / "whole").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failing_write_leaves_the_old_file_whole(tmp_path, monkeypatch, call):
    path = tmp_path / "file"
    write_whole(path, b"old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


WRITE_FOREVER = """
import sys
from pathlib import Path
from karikomi.runs.files import write_whole
while True:
    for letter in b"ab":
        write_whole(Path(sys.argv[1]), bytes([letter]) * 300_000)
        print("written", flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_kill_leaves_a_whole_file(tmp_path):
    path = tmp_path / "file"
    for writes in (1, 4, 9):
        command = [sys.executable, "-c", WRITE_FOREVER, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            for _ in range(writes):
                writer.stdout.readline()
            writer.send_signal(signal.SIGKILL)
            writer.wait()
        assert path.read_bytes() in (b"a" * 300_000, b"b" * 300_000)
    remove_partials(tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def test_remove_partials_touches_nothing_else(tmp_path):
    (tmp_path / f"{PARTIAL}0123").write_bytes(b"half")
    (tmp_path / "table.parquet").write_bytes(b"whole")
    remove_partials(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["table.parquet"]


def test_read_whole_of_a_missing_file_names_it(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*absent: No such file"):
        read_whole(tmp_path / "absent")


@given(
    array=hnp.arrays(
        st.sampled_from(["?", "i1", "u1", "i4", "i8", "f2", "f4", "f8"]), hnp.array_shapes(min_dims=0, min_side=0)
    ),
    metadata=st.dictionaries(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8"))),
)
def test_arrays_come_back_bit_for_bit(folder, array, metadata):
    path = folder / "some.safetensors"
    # A transposed view lies in memory in another order than its values are read in.
    write_arrays(path, {"as it is": array, "transposed": array.T}, metadata)
    arrays, text = read_arrays(path)
    assert text == metadata
    for name, expected in [("as it is", array), ("transposed", array.T)]:
        assert arrays[name].dtype == expected.dtype
        assert arrays[name].shape == expected.shape
        assert arrays[name].tobytes() == expected.tobytes()


def test_arrays_give_the_same_bytes_in_every_process(tmp_path):
    script = """
import sys
from pathlib import Path
import numpy as np
from karikomi.runs.files import write_arrays
write_arrays(Path(sys.argv[1]), {"b": np.ones(3), "a": np.array(2)}, {key: key for key in "hgfedcba"})
"""
    paths = [tmp_path / str(number) for number in range(4)]
    for path in paths:
        subprocess.run([sys.executable, "-c", script, str(path)], check=True)
    assert len({path.read_bytes() for path in paths}) == 1


def damaged(content: bytes) -> list[bytes]:
    return [b"", content[:4], content[: len(content) // 2], content[:-1], b"\x00" * 64, b"not a file of this kind"]


def test_damaged_arrays_are_refused_by_name(tmp_path):
    path = tmp_path / "some.safetensors"
    write_arrays(path, {"w": np.arange(12.0).reshape(3, 4)}, {})
    for content in damaged(path.read_bytes()):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"some\.safetensors is damaged") as refusal:
            read_arrays(path)
        assert "\n" not in str(refusal.value)
    with pytest.raises(InputError, match=r"absent\.safetensors: No such file or directory$"):
        read_arrays(tmp_path / "absent.safetensors")
