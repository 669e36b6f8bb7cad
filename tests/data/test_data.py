"""MNIST, files, own arrays, and the stratified split."""

import gzip
import hashlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karikomi import data
from karikomi.data import arrays
from karikomi.data.dataset import Dataset
from karikomi.errors import InputError

RNG = np.random.default_rng(0)
GOOD = {
    "x_train": RNG.random((30, 4)),
    "y_train": np.arange(30) % 3,
    "x_test": RNG.random((9, 4)),
    "y_test": np.arange(9) % 3,
}


def test_mnist_is_the_published_one():
    mnist = data.load("mnist")
    idx = struct.pack(">4i", 2051, 60000, 28, 28) + mnist.train.x.tobytes()
    assert hashlib.md5(idx).hexdigest() == "6bbc9ace898e44ae57da46a324031adb"
    assert mnist.train.y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert mnist.test.y[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert (mnist.train.x.dtype, mnist.test.x.shape, mnist.classes) == (np.uint8, (10000, 28, 28), 10)


def test_a_file_of_your_own(tmp_path):
    path = tmp_path / "own.npz"
    np.savez(path, **GOOD)
    own = data.load(str(path))
    assert (own.name, own.classes, own.sample_shape) == ("own", 3, (4,))
    assert own.train.x.tolist() == GOOD["x_train"].astype(np.float32).tolist()
    assert data.fingerprint(str(path)) == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_train": GOOD["y_train"][:-1]}, r"x_train must be \[n, …\] and y_train \[n\]"),
        ({"y_train": GOOD["y_train"] + 0.5}, "whole numbers from 0"),
        ({"y_train": GOOD["y_train"] - 1}, "whole numbers from 0"),
        ({"y_train": GOOD["y_train"] * 2}, r"it lacks \[1, 3\]"),
        ({"y_train": GOOD["y_train"] * 0}, "C at least 2"),
        ({"y_train": GOOD["y_train"].astype(str)}, "y_train holds text; give numbers"),
        ({"y_test": GOOD["y_test"] + 1}, "y_test has the label 3"),
        ({"x_test": GOOD["x_test"][:, :3]}, "same kind of sample"),
        ({"x_train": np.where(np.arange(4) == 2, np.nan, GOOD["x_train"])}, "NaN"),
        ({"x_train": GOOD["x_train"].astype(str)}, "real numbers"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_in_one_line(change, message):
    with pytest.raises(InputError, match=message) as refused:
        Dataset.from_arrays(**{**GOOD, **change})
    assert "\n" not in str(refused.value)


def damaged_files(tmp_path):
    whole = tmp_path / "whole.npz"
    np.savez(whole, **GOOD)
    content = whole.read_bytes()
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, **{**GOOD, "x_train": np.array([{"no": "code"}] * 30)})
    lacking = tmp_path / "lacking.npz"
    np.savez(lacking, x_train=GOOD["x_train"])
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 0xFF
    files = {
        "truncated": content[: len(content) // 2],
        "empty": b"",
        "text": b"hello",
        "zipped": gzip.compress(content),
    }
    for name, damage in {**files, "flipped": bytes(flipped)}.items():
        (tmp_path / f"{name}.npz").write_bytes(damage)
    return [tmp_path / f"{name}.npz" for name in (*files, "flipped", "pickled", "lacking", "absent")]


def test_damaged_missing_and_pickled_files_are_refused_in_one_line(tmp_path):
    for path in damaged_files(tmp_path):
        with pytest.raises(InputError, match=path.name) as refused:
            data.load(str(path))
        assert "\n" not in str(refused.value)


def test_an_unknown_name_is_told_the_nearest():
    with pytest.raises(InputError, match="did you mean 'mnist'"):
        data.load("mnits")


def test_a_damaged_package_is_noticed(monkeypatch):
    monkeypatch.setattr(arrays, "_MNIST_SHA256", 64 * "0")
    with pytest.raises(InputError, match="install karikomi again"):
        data.load("mnist")


def test_fingerprint_sees_every_part():
    prints = {data.fingerprint(Dataset.from_arrays(**GOOD))}
    for key in GOOD:
        changed = {**GOOD, key: GOOD[key].copy()}
        changed[key][:2] = changed[key][1::-1]
        prints.add(data.fingerprint(Dataset.from_arrays(**changed)))
    assert len(prints) == 5


@given(st.lists(st.integers(1, 40), min_size=2, max_size=6), st.data())
def test_split_is_stratified_within_one_example(counts, draw):
    y = np.repeat(np.arange(len(counts)), counts)
    x = np.zeros((len(y), 1, 1), np.uint8)
    dataset = Dataset.from_arrays(x, y, x, y)
    if len(y) < 2 * len(counts):
        return
    n = draw.draw(st.integers(len(counts), len(y) - len(counts)))
    split = dataset.split(n, np.random.default_rng(draw.draw(st.integers(0, 99))))
    assert sorted([*split.train, *split.validation]) == list(range(len(y)))
    assert len(split.validation) == n
    held = np.bincount(y[split.validation], minlength=len(counts))
    assert np.abs(held - n * np.array(counts) / len(y)).max() <= 1


def test_splits_differ_by_stream_and_refuse_the_impossible():
    dataset = Dataset.from_arrays(**GOOD)
    a, b = (dataset.split(9, np.random.default_rng(seed)).validation.tolist() for seed in (0, 1))
    assert a != b
    for n in (0, 2, 28, 99):
        with pytest.raises(InputError, match="between 3 and 27"):
            dataset.split(n, np.random.default_rng(0))
