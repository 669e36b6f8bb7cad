"""Tables with a column of labels: CSV and Parquet."""

import io

import numpy as np
import pandas as pd
import pytest

from karikomi import data
from karikomi.errors import InputError

RNG = np.random.default_rng(0)
TABLE = pd.DataFrame({"a": RNG.normal(size=30), "label": ["dog", "ant", "cat"] * 10, "b": np.arange(30) % 7 > 3})
WRITERS = {".csv": lambda table, path: table.to_csv(path, index=False), ".parquet": pd.DataFrame.to_parquet}


def write(folder, table, end=".csv", **changes):
    path = folder / f"mine{end}"
    WRITERS[end](table.assign(**changes), path)
    return str(path)


@pytest.mark.parametrize("end", WRITERS)
def test_a_column_test_says_what_is_tested(tmp_path, end):
    test = np.arange(30) % 5 == 0
    for written in (test, test.astype(int)):
        found = data.load(write(tmp_path, TABLE, end, test=written))
        assert (found.name, found.classes, found.sample_shape) == ("mine", 3, (2,))
        for examples, rows in ((found.train, TABLE[~test]), (found.test, TABLE[test])):
            np.testing.assert_array_equal(examples.x, rows[["a", "b"]].to_numpy("float32"))
            assert examples.y.tolist() == [["ant", "cat", "dog"].index(label) for label in rows["label"]]


@pytest.mark.parametrize("end", WRITERS)
def test_without_it_a_fifth_is_tested(tmp_path, end):
    found = data.load(write(tmp_path, TABLE, end))
    assert (np.bincount(found.train.y).tolist(), np.bincount(found.test.y).tolist()) == ([8] * 3, [2] * 3)
    both = np.concatenate([found.train.x, found.test.x])
    np.testing.assert_array_equal(np.sort(both[:, 0]), np.sort(TABLE["a"].to_numpy("float32")))


def test_numbers_are_classes_in_the_order_of_numbers_and_the_column_has_any_name(tmp_path):
    source = write(tmp_path, TABLE.rename(columns={"label": "kind"}), kind=[10, 9, 100] * 10)
    found = data.load(source, "kind")
    by_input = dict(zip(TABLE["a"].to_numpy("float32").tolist(), [1, 0, 2] * 10, strict=True))
    assert found.train.y.tolist() == [by_input[a] for a in found.train.x[:, 0].tolist()]


@pytest.mark.parametrize("end", WRITERS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="label"), r"has no column 'label'; choose label_column among a, b$"),
        (lambda t: t.iloc[:0], "has no rows"),
        (lambda t: t[["label"]], "has no column beside the labels"),
        (lambda t: t.assign(colour="red"), "the column colour of .* is not numbers"),
        (lambda t: t.assign(a=t["a"].where(t["a"] < 1)), "the column a of .* has missing values"),
        (lambda t: t.assign(label=t["label"].where(t.index > 0)), "has rows without a label"),
        (lambda t: t.assign(test=2), "the column test of .* must say 0 of training rows and 1"),
        (lambda t: t.assign(test=0), "the column test of .* must say 0 of training rows and 1"),
        (lambda t: t.assign(test="no"), "the column test of .* must say 0 of training rows and 1"),
        (lambda t: t.assign(test=t["label"] == "cat"), "only the test set of .* has examples of the class cat"),
        (lambda t: t.assign(label=t.index), "has a single example of the class 0"),
        (lambda t: t.assign(label="same"), "C at least 2"),
        (lambda t: t.assign(a=np.inf), "NaN or infinite"),
    ],
)
def test_what_is_wrong_in_a_table_costs_one_line(tmp_path, end, change, message):
    source = write(tmp_path, change(TABLE), end)
    with pytest.raises(InputError, match=message) as refused:
        data.load(source)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no readable CSV file"),
        (b"\xff\xfe\xfa", "is no readable CSV file"),
        (b'a,label\n1,"x\n', "is no readable CSV file"),
        (b"a,label\n1,x\n1,2,3,4\n", "is no readable CSV file"),
        (b",a,label\n0,1.5,x\n1,2.5,y\n", "has a column without a name"),
    ],
)
def test_a_broken_csv_file_costs_one_line(tmp_path, content, message):
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(InputError, match=message) as refused:
        data.load(str(tmp_path / "x.csv"))
    assert "\n" not in str(refused.value)


def test_a_parquet_file_that_is_cut_off_costs_one_line(tmp_path):
    buffer = io.BytesIO()
    TABLE.to_parquet(buffer)
    for content in (b"", buffer.getvalue()[:-20], buffer.getvalue()[20:]):
        (tmp_path / "x.parquet").write_bytes(content)
        with pytest.raises(InputError, match="is no readable Parquet file") as refused:
            data.load(str(tmp_path / "x.parquet"))
        assert "\n" not in str(refused.value)
