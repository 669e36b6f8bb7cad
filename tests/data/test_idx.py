"""IDX files: against an encoder written from the format's description."""

import gzip
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from karikomi import data
from karikomi.data.idx import TYPES, array
from karikomi.errors import InputError

CODES = {np.dtype(name): code for code, name in TYPES.items()}
RNG = np.random.default_rng(0)
X, Y = RNG.integers(0, 256, (12, 4, 3), dtype=np.uint8), np.arange(12, dtype=np.uint8) % 3


def encoded(values: np.ndarray) -> bytes:
    big = np.asarray(values).astype(values.dtype.newbyteorder(">"))
    return struct.pack(f">HBB{big.ndim}I", 0, CODES[big.dtype], big.ndim, *big.shape) + big.tobytes()


def write(folder, names=("train", "t10k"), end="", before="", labels=Y):
    folder.mkdir(exist_ok=True)
    pack = gzip.compress if end else bytes
    for part, taken in zip(names, (slice(0, 9), slice(9, 12)), strict=True):
        (folder / f"{before}{part}-images-idx3-ubyte{end}").write_bytes(pack(encoded(X[taken])))
        (folder / f"{before}{part}-labels-idx1-ubyte{end}").write_bytes(pack(encoded(labels[taken])))
    return folder / f"{before}train-images-idx3-ubyte{end}"


@given(st.sampled_from(list(CODES)).flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes())), st.booleans())
def test_what_was_written_is_read(values, zipped):
    content = encoded(values)
    found = array(gzip.compress(content) if zipped else content, "x")
    assert found.dtype == values.dtype.newbyteorder("=")
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("test", ["t10k", "test"])
@pytest.mark.parametrize("end", ["", ".gz"])
def test_four_files_by_the_first_one_or_by_their_folder(tmp_path, test, end):
    first = write(tmp_path / "mine", ("train", test), end, before="my-train-set-")
    for source in (first, first.parent):
        found = data.load(str(source))
        assert (found.name, found.classes) == ("mine", 3)
        np.testing.assert_array_equal(np.concatenate([found.train.x, found.test.x]), X)
        np.testing.assert_array_equal(np.concatenate([found.train.y, found.test.y]), Y)
        assert found.train.x.dtype == np.uint8


def test_labels_that_do_not_begin_at_0_are_numbered_in_their_order(tmp_path):
    found = data.load(str(write(tmp_path, labels=3 * Y + 1)))
    assert found.train.y.tolist() == Y[:9].tolist()


def test_fingerprint_sees_all_four_files(tmp_path):
    first = write(tmp_path / "mine")
    prints = {data.fingerprint(str(first))}
    for path in first.parent.iterdir():
        path.write_bytes(path.read_bytes()[:-1] + b"\1")
        prints.add(data.fingerprint(str(first)))
    assert len(prints) == 5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no IDX file: it begins with nothing"),
        (b"\0\0\x08", "is no IDX file: it begins with 000008"),
        (b"\0\1\x08\1" + bytes(4), "is no IDX file: it begins with 00010801"),
        (b"\0\0\x0a\1" + bytes(4), "is no IDX file: it begins with 00000a01"),
        (b"\0\0\x08\3" + bytes(7), "is cut off or too long"),
        (encoded(X)[:-1], "is cut off or too long: 12 × 4 × 3 numbers do not fit it"),
        (encoded(X) + b"\0", "is cut off or too long"),
        (gzip.compress(encoded(X))[:-9], "is damaged, or no gzip file"),
        (gzip.compress(encoded(X))[:-8] + bytes(8), "is damaged, or no gzip file"),
        (b"\x1f\x8b" + bytes(30), "is damaged, or no gzip file"),
        (encoded(X[:8]), r"must be \[n, …\]"),
    ],
)
def test_what_is_no_idx_file_costs_one_line(tmp_path, content, message):
    first = write(tmp_path / "mine")
    first.write_bytes(content)
    with pytest.raises(InputError, match=message) as refused:
        data.load(str(first))
    assert "\n" not in str(refused.value)


def test_a_missing_file_and_several_sets_in_a_folder_cost_one_line(tmp_path):
    first = write(tmp_path / "mine")
    (tmp_path / "mine/train-labels-idx1-ubyte").rename(tmp_path / "mine/lost")
    with pytest.raises(InputError, match=r"cannot read .*train-labels-idx1-ubyte: No such file"):
        data.load(str(first))
    write(tmp_path / "mine", before="other-")
    with pytest.raises(InputError, match="several IDX files; name one of them"):
        data.load(str(tmp_path / "mine"))
