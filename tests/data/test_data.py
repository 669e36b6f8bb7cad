"""MNIST, files, own arrays, the stratified split, and what may be done to data."""

import gzip
import hashlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karikomi import data
from karikomi.data import arrays
from karikomi.data.dataset import Dataset, Split
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


@given(st.floats(0.01, 1), st.integers(0, 99))
def test_a_reduced_split_is_a_stratified_part_of_what_trains(share, seed):
    y = np.repeat(np.arange(3), (50, 30, 20))
    split = Dataset.from_arrays(y[:, None], y, y[:, None], y).split(10, np.random.default_rng(0))
    part = split.reduced(share, y, np.random.default_rng(seed))
    assert part.validation is split.validation
    assert set(part.train) <= set(split.train)
    assert len(part.train) == len(set(part.train)) == round(share * 90)
    assert np.abs(np.bincount(y[part.train], minlength=3) - share * np.bincount(y[split.train])).max() <= 1.5


def test_a_share_that_leaves_nothing_is_refused():
    with pytest.raises(InputError, match=r"a share of 0\.01 leaves none of 3 training examples"):
        Split(np.arange(3), np.arange(3, 6)).reduced(0.01, np.zeros(6, int), np.random.default_rng(0))


@pytest.mark.parametrize("share", [0.1, 0.5, 1])
def test_label_noise_makes_exactly_that_share_wrong_and_no_class_likelier(share):
    y = np.repeat(np.arange(4), 2_000)
    clean = Dataset.from_arrays(y[:, None], y, y[:4, None], y[::2000])
    noisy = clean.with_label_noise(share, np.random.default_rng(0))
    wrong = noisy.train.y != y
    assert wrong.sum() == round(share * len(y))
    assert noisy.train.x is clean.train.x
    assert noisy.test is clean.test
    counts = np.zeros((4, 4))
    np.add.at(counts, (y[wrong], noisy.train.y[wrong]), 1)
    expected = share * 2_000 / 3
    deviation = np.sqrt(2_000 * share / 3 * (1 - share / 3))
    assert np.abs(counts - expected * (1 - np.eye(4))).max() < 5 * deviation


@pytest.mark.parametrize(
    ("shape", "axes"), [((200, 5), (0,)), ((60, 4, 5), (0, 1, 2)), ((60, 3, 4, 5), (0, 2, 3)), ((40, 3, 4), (0, 1, 2))]
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_standardized_inputs_have_mean_0_and_deviation_1_over_the_training_set(shape, axes, dtype):
    x = (RNG.random(shape) * np.linspace(50, 250, shape[1]).reshape(-1, *[1] * (len(shape) - 2))).astype(dtype)
    y = np.arange(len(x)) % 3
    plain = Dataset.from_arrays(x, y, x[:9], y[:9])
    found = plain.standardized()
    assert found.train.x.dtype == found.test.x.dtype == np.float32
    np.testing.assert_allclose(found.train.x.mean(axes, dtype=float), 0, atol=1e-6)
    np.testing.assert_allclose(found.train.x.std(axes, dtype=float), 1, atol=1e-5)
    # One scale and one shift per feature or channel, the same for the test set.
    np.testing.assert_array_equal(found.test.x, found.train.x[:9])
    mean, deviation = x.mean(axes, dtype=float, keepdims=True), x.std(axes, dtype=float, keepdims=True)
    np.testing.assert_allclose(found.train.x, (x - mean) / deviation, atol=1e-4)
    assert found.train.scale == 1


def test_a_feature_that_never_varies_becomes_0():
    x = np.stack([np.full(6, 7.0), np.arange(6.0)], axis=1)
    found = Dataset.from_arrays(x, np.arange(6) % 2, x, np.arange(6) % 2).standardized()
    assert (found.train.x[:, 0] == 0).all()
