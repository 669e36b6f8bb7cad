"""Folders of images by class."""

import numpy as np
import pytest
from PIL import Image

from karikomi import data
from karikomi.errors import InputError

RNG = np.random.default_rng(0)


def write(folder, classes=("b", "a"), each=5, shape=(4, 6), end="png"):
    """Images of random pixels; gives them by class."""
    images = {name: RNG.integers(0, 256, (each, *shape), dtype=np.uint8) for name in classes}
    for name, pixels in images.items():
        (folder / name).mkdir(parents=True)
        for number, image in enumerate(pixels):
            Image.fromarray(image).save(folder / name / f"{number}.{end}")
    return images


@pytest.mark.parametrize("end", ["png", "bmp", "tiff"])
@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 3)])
def test_train_and_test_by_class(tmp_path, shape, end):
    train, test = (
        write(tmp_path / "train", shape=shape, end=end),
        write(tmp_path / "test", each=2, shape=shape, end=end),
    )
    for path in (tmp_path / ".hidden", tmp_path / "train/a/.hidden"):
        path.write_text("not seen")
    found = data.load(str(tmp_path))
    assert (found.name, found.classes) == (tmp_path.name, 2)
    for examples, images in ((found.train, train), (found.test, test)):
        pixels = np.concatenate([images["a"], images["b"]])
        expected = pixels.transpose(0, 3, 1, 2) if pixels.ndim == 4 else pixels
        np.testing.assert_array_equal(examples.x, expected)
        assert examples.x.dtype == np.uint8
        assert examples.y.tolist() == np.repeat([0, 1], len(images["a"])).tolist()


def test_without_a_test_set_a_fifth_of_each_class_is_it_always_the_same(tmp_path):
    images = write(tmp_path / "pics", each=10)
    found, again = data.load(str(tmp_path / "pics")), data.load(f"{tmp_path}/pics/")
    assert (np.bincount(found.train.y).tolist(), np.bincount(found.test.y).tolist()) == ([8, 8], [2, 2])
    assert found.name == "pics"
    np.testing.assert_array_equal(found.test.x, again.test.x)
    everything = {image.tobytes() for image in [*found.train.x, *found.test.x]}
    assert everything == {image.tobytes() for pixels in images.values() for image in pixels}


def test_fingerprint_sees_contents_and_names_but_nothing_hidden(tmp_path):
    write(tmp_path, each=2)
    prints = [data.fingerprint(str(tmp_path))]
    (tmp_path / ".hidden").write_text("x")
    assert data.fingerprint(f"{tmp_path}/") == prints[0]
    (tmp_path / "a/0.png").rename(tmp_path / "a/2.png")
    prints.append(data.fingerprint(str(tmp_path)))
    (tmp_path / "a/2.png").write_bytes((tmp_path / "b/0.png").read_bytes())
    prints.append(data.fingerprint(str(tmp_path)))
    (tmp_path / "b").rename(tmp_path / "c")
    prints.append(data.fingerprint(str(tmp_path)))
    assert len(set(prints)) == 4


def another_shape(top):
    Image.new("L", (6, 5)).save(top / "b/9.png")


def colour_among_grey(top):
    Image.new("RGB", (6, 4)).save(top / "b/9.png")


def with_alpha(top):
    Image.new("RGBA", (6, 4)).save(top / "b/9.png")


def cut_off(top):
    whole = (top / "a/0.png").read_bytes()
    (top / "a/0.png").write_bytes(whole[: len(whole) // 2])


def text(top):
    (top / "a/notes.txt").write_text("a few words")


def folder_in_class(top):
    (top / "a/more").mkdir()


def empty_class(top):
    (top / "c").mkdir()


def train_alone(top):
    (top / "train").mkdir()


def one_example(top):
    write(top, classes=["c"], each=1)


def class_in_test_alone(top):
    write(top / "train")
    write(top / "test", classes=["a", "z"])


def no_folders(top):
    for name in ("a", "b"):
        (top / name).rename(top / f".{name}")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (another_shape, r"one shape: .*b/9\.png is 5 × 6, .*a/0\.png 4 × 6"),
        (colour_among_grey, r"one shape: .*b/9\.png is 3 × 4 × 6, .*a/0\.png 4 × 6"),
        (with_alpha, r"b/9\.png is an image of mode RGBA; save it as grey \(L\) or RGB"),
        (cut_off, r"a/0\.png is no image that can be read"),
        (text, r"a/notes\.txt is no image that can be read"),
        (folder_in_class, "a/more is no image that can be read"),
        (empty_class, "c is empty; a class needs images"),
        (train_alone, "it must hold both, or a folder per class"),
        (one_example, "has a single example of the class c"),
        (class_in_test_alone, "only the test set of .* has examples of the class z"),
        (no_folders, "must hold a folder of images for each class"),
    ],
)
def test_what_is_wrong_in_a_folder_costs_one_line(tmp_path, damage, message):
    write(tmp_path)
    damage(tmp_path)
    with pytest.raises(InputError, match=message) as refused:
        data.load(str(tmp_path))
    assert "\n" not in str(refused.value)
