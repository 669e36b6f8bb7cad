"""Which data a study is run on, and what its settings do to them."""

from unittest import mock

import numpy as np
import pytest
from PIL import Image

import karikomi
from karikomi import data
from karikomi.errors import InputError
from karikomi.runs.settings import identity
from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.result import Result
from karikomi.studies.setup import prepare

QUICK = {"network": "mlp-8", "iterations": 10, "rounds": 1, "replicates": 2, "batch": 10, "validate_every": 5}
QUICK |= {"engine": "population"}


@pytest.fixture(autouse=True)
def undrawn():
    with mock.patch.object(Result, "draw"):
        yield


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rng = np.random.default_rng(0)
    rows = "\n".join(f"{a:.3f},{'xyz'[n % 3]},{10 * b:.3f}" for n, (a, b) in enumerate(rng.normal(size=(300, 2))))
    path = tmp_path_factory.mktemp("table") / "mine.csv"
    path.write_text(f"a,kind,b\n{rows}\n")
    return str(path)


def test_label_noise_is_one_draw_for_all_replicates_and_spares_the_test_set(small, tiny):
    clean = data.load(tiny)
    noisy, again, other = (prepare(small(label_noise=0.25, seed=seed)).data for seed in (0, 0, 1))
    assert (noisy.train.y != clean.train.y).sum() == 300
    np.testing.assert_array_equal(noisy.test.y, clean.test.y)
    np.testing.assert_array_equal(noisy.train.y, again.train.y)
    assert (noisy.train.y != other.train.y).any()


def test_a_share_of_the_training_set_is_drawn_per_replicate_and_spares_validation(small):
    whole, part = prepare(small()).splits, prepare(small(train_share=0.1)).splits
    for before, after in zip(whole, part, strict=True):
        np.testing.assert_array_equal(before.validation, after.validation)
        assert len(after.train) == 100
        assert set(after.train) < set(before.train)
    assert set(part[0].train) != set(part[1].train)
    with pytest.raises(InputError, match="batch must be at most 10"):
        prepare(small(train_share=0.01))


def test_inputs_are_standardized_for_every_form_of_network(small):
    found = prepare(small(standardize=True)).data
    assert abs(found.train.x.mean(dtype=float)) < 1e-6
    assert abs(found.train.x.std(dtype=float) - 1) < 1e-5
    assert found.sample_shape == (14, 14)


def test_settings_that_are_left_out_change_no_run_s_identity():
    record = LotterySettings().model_dump()
    new = {"label_column", "label_noise", "train_share", "standardize"}
    assert {name for name in new if record[name] is None} == new
    older = {name: value for name, value in record.items() if name not in new}
    assert identity("lottery", record, 2) == identity("lottery", older, 2)
    for change in ({"label_noise": 0.1}, {"train_share": 0.5}, {"standardize": True}):
        assert identity("lottery", {**record, **change}, 2) != identity("lottery", record, 2)


def test_a_table_with_all_settings_from_start_to_ticket(table, tmp_path):
    given = {"label_column": "kind", "label_noise": 0.1, "train_share": 0.5, "standardize": True, "validation": 30}
    run = karikomi.lottery(data=table, out=tmp_path / "run", quiet=True, **given, **QUICK)
    assert set(run.table["arm"]) >= {"dense", "ticket"}
    assert run.network(0, round=1).sample_shape == (2,)


def test_only_tables_have_a_column_of_labels():
    with pytest.raises(InputError, match=r"label_column needs a table, such as a \.csv file; the data are mnist"):
        LotterySettings.of(label_column="kind")


def test_a_folder_of_images_that_changed_is_another_run(tmp_path):
    rng = np.random.default_rng(0)
    for number, image in enumerate(rng.integers(0, 256, (60, 5, 5, 3), dtype=np.uint8)):
        (tmp_path / "pics" / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / "pics" / "ab"[number % 2] / f"{number}.png")

    def run(**given):
        pictures = str(tmp_path / "pics")
        return karikomi.lottery(data=pictures, out=tmp_path / "run", quiet=True, validation=10, **QUICK, **given)

    table = run().table
    assert run().table.equals(table)
    (tmp_path / "pics/a/0.png").write_bytes((tmp_path / "pics/b/1.png").read_bytes())
    with pytest.raises(InputError, match="data_sha256"):
        run()


def test_every_study_takes_a_teacher_s_data(tmp_path):
    small = {
        "network": "mlp-8",
        "iterations": 20,
        "replicates": 2,
        "quiet": True,
        "data": "teacher-6-9-3",
        "engine": "population",
    }
    for name, given in {
        "lottery": {"rounds": 1},
        "lesion": {"orders": 2, "scoring": 100},
        "importance": {"scoring": 100},
        "ageing": {"deaths": 1, "cycles": 2, "retraining": 5, "scoring": 100},
    }.items():
        run = getattr(karikomi, name)(out=tmp_path / name, **small, **given)
        assert run.folder.finished
