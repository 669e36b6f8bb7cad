"""Published data sets: Debian's Fashion-MNIST against the published checksums; CIFAR-10's records; what is not here."""

import gzip
import hashlib
import io
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest

from karikomi import data
from karikomi.data.published import PUBLISHED, Published, cache
from karikomi.errors import InputError

DEBIAN = Path(PUBLISHED["fashion-mnist"].folder)
WRITTEN = {"train": 1504176606, "t10k": 1504176627}
"""When the published files were compressed, 2017-08-31 10:50 UTC; Debian leaves that and the name out."""


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="needs Debian's package dataset-fashion-mnist")
@pytest.mark.parametrize("file", PUBLISHED["fashion-mnist"].files)
def test_debian_s_files_are_the_published_ones_but_for_their_header(file):
    content = (DEBIAN / file).read_bytes()
    header = b"\x1f\x8b\x08\x08" + struct.pack("<I", WRITTEN[file.partition("-")[0]]) + b"\0\3"
    published = header + file.removesuffix(".gz").encode() + b"\0" + content[10:]
    assert hashlib.sha256(published).hexdigest() == PUBLISHED["fashion-mnist"].files[file]


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="needs Debian's package dataset-fashion-mnist")
def test_fashion_mnist_from_debian():
    found = data.load("fashion-mnist")
    assert (found.train.x.shape, found.test.x.shape, found.classes) == ((60_000, 28, 28), (10_000, 28, 28), 10)
    assert np.bincount(found.train.y).tolist() == [6_000] * 10
    assert found.train.y[:4].tolist() == [9, 0, 0, 3]


def archive(folder: str = "cifar-10-batches-bin", cut: int = 0, leave_out: str = "") -> tuple[bytes, np.ndarray]:
    """CIFAR-10 with 20 images a batch, and its images in the order of the batches."""
    records = np.random.default_rng(0).integers(0, 256, (120, 3073), dtype=np.uint8)
    records[:, 0] = np.arange(120) % 10
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for number, name in enumerate([*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]):
            content = records[20 * number : 20 * number + 20].tobytes()[cut:]
            info = tarfile.TarInfo(f"{folder}/{name}.bin")
            info.size = len(content)
            if name != leave_out:
                tar.addfile(info, io.BytesIO(content))
    return file.getvalue(), records


def put(monkeypatch, content: bytes, checksum: str = "") -> Path:
    name = "cifar-10-binary.tar.gz"
    files = {name: checksum or hashlib.sha256(content).hexdigest()}
    monkeypatch.setitem(PUBLISHED, "cifar-10", Published("https://example.org/", files))
    cache("cifar-10").mkdir(parents=True)
    (cache("cifar-10") / name).write_bytes(content)
    return cache("cifar-10") / name


def test_cifar_from_its_binary_version(monkeypatch):
    content, records = archive()
    put(monkeypatch, content)
    found = data.load("cifar-10")
    assert (found.name, found.train.x.shape, found.test.x.shape) == ("cifar-10", (100, 3, 32, 32), (20, 3, 32, 32))
    # The first 1024 bytes of an image are red, row by row; then green and blue.
    assert found.test.x[3, 1, 2, 5] == records[103, 1 + 1024 + 2 * 32 + 5]
    assert found.train.y.tolist() == records[:100, 0].tolist()
    assert data.missing("cifar-10") == data.fingerprint("cifar-10") == ""


@pytest.mark.parametrize(
    "content",
    [
        archive(folder="../../etc")[0],
        archive(cut=1)[0],
        archive(leave_out="data_batch_3")[0],
        archive()[0][:-100],
        b"no tar",
    ],
)
def test_an_archive_that_is_not_cifar_costs_one_line(monkeypatch, content):
    put(monkeypatch, content)
    with pytest.raises(InputError, match="the file of cifar-10 is damaged") as refused:
        data.load("cifar-10")
    assert "\n" not in str(refused.value)


def test_what_is_like_mnist_from_the_cache(monkeypatch):
    rng, folder = np.random.default_rng(0), cache("kmnist")
    folder.mkdir(parents=True)
    arrays = {"train": (rng.integers(0, 256, (20, 28, 28)), np.arange(20) % 10)}
    arrays["t10k"] = (rng.integers(0, 256, (10, 28, 28)), np.arange(10))
    for part, (x, y) in arrays.items():
        images = struct.pack(">4i", 2051, *x.shape) + x.astype(np.uint8).tobytes()
        labels = struct.pack(">2i", 2049, len(y)) + y.astype(np.uint8).tobytes()
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    files = {file: hashlib.sha256((folder / file).read_bytes()).hexdigest() for file in PUBLISHED["kmnist"].files}
    monkeypatch.setitem(PUBLISHED, "kmnist", Published("https://example.org/", files))
    found = data.load("kmnist")
    assert found.name == "kmnist"
    for examples, (x, y) in zip((found.train, found.test), arrays.values(), strict=True):
        np.testing.assert_array_equal(examples.x, x)
        np.testing.assert_array_equal(examples.y, y)
    path = folder / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), mtime=1))
    with pytest.raises(InputError, match=r"t10k-labels-idx1-ubyte\.gz is damaged \(its SHA-256 is wrong\)"):
        data.load("kmnist")


def test_a_changed_file_in_the_cache_is_noticed(monkeypatch):
    content, _ = archive()
    path = put(monkeypatch, content, checksum=64 * "0")
    with pytest.raises(InputError, match=f"{path} is damaged"):
        data.load("cifar-10")


def test_what_is_not_here_is_refused_with_the_command_that_gets_it(monkeypatch, tmp_path):
    published = PUBLISHED["fashion-mnist"]._replace(folder=str(tmp_path / "nowhere"))
    monkeypatch.setitem(PUBLISHED, "fashion-mnist", published)
    for name, how in {
        "fashion-mnist": "karikomi datasets --get fashion-mnist, or apt install dataset-fashion-mnist",
        "kmnist": "karikomi datasets --get kmnist",
        "cifar-10": "karikomi datasets --get cifar-10",
    }.items():
        line = f"{name} is not here; get it with: {how}"
        assert data.missing(name) == line
        with pytest.raises(InputError, match=f"^{line}$"):
            data.load(name)
    assert not (tmp_path / "cache").exists()
