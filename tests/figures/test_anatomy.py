import base64
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from karikomi.figures import anatomy, exemplars


def datasets(chart) -> list[pd.DataFrame]:
    return [pd.DataFrame(values) for values in chart.to_dict()["datasets"].values()]


def test_every_line_is_the_whole_of_its_weights(histograms):
    for drawn in datasets(anatomy.weights(histograms)):
        assert list(drawn["left"].unique()) == ["100 %", "51.2 %", "26.2 %", "13.4 %"]
        # But for what the axis leaves out, one in a thousand of all at either end.
        for _, line in drawn.groupby("left"):
            assert 97 < line["share"].sum() < 100.01
    chosen = histograms.query("round == 9 and layer == 'fc1' and state == 'initial'")
    means = chosen.groupby("from")["weights"].mean()
    drawn = datasets(anatomy.weights(histograms))[0].query("left == '13.4 %'").set_index("from")["share"]
    np.testing.assert_allclose(drawn, 100 * means[drawn.index] / means.sum(), rtol=1e-5)


def test_many_bins_are_joined(histograms, monkeypatch):
    monkeypatch.setattr(anatomy, "BINS", 10)
    fine = histograms.query("round == 9 and layer == 'fc1' and state == 'initial'").groupby("from")["weights"].mean()
    drawn = datasets(anatomy.weights(histograms))[0].query("left == '13.4 %'").set_index("from")["share"]
    assert len(drawn) < len(fine) / 2
    width = drawn.index[1] - drawn.index[0]
    within = [fine[(fine.index >= low) & (fine.index < low + width)].sum() for low in drawn.index[1:-1]]
    np.testing.assert_allclose(drawn.iloc[1:-1], 100 * np.array(within) / fine.sum(), rtol=1e-4)


def test_links_in_common_are_drawn_over_chance(shared):
    drawn = pd.concat(datasets(anatomy.links_in_common(shared)))
    tickets = drawn[drawn["given"] == "ticket"]
    expected = shared[shared["against"] == "chance"]
    np.testing.assert_allclose(sorted(tickets["mean"]), sorted(expected["shared"] / expected["expected"]), rtol=1e-5)
    np.testing.assert_allclose(
        sorted(tickets["high"] - tickets["mean"]),
        sorted((expected["high"] - expected["mean"]) / expected["expected"]),
        rtol=1e-4,
    )
    assert (drawn.loc[drawn["given"].str.startswith("chance"), "mean"] == 1).all()
    out_of = shared[shared["against"] == "chance_out_of"]["expected"].to_numpy() / expected["expected"].to_numpy()
    lines = drawn.loc[drawn["given"] == "as many links out of each unit", "mean"]
    np.testing.assert_allclose(sorted(lines), sorted(out_of), rtol=1e-5)


def test_classes_are_filled_where_a_change_is_shown(changes):
    (drawn,) = datasets(anatomy.recalls(changes))
    assert set(drawn["panel"]) == {"50 % of links left", "25 % of links left"}
    own = changes[changes["measure"] == "recall"]
    assert len(drawn) == len(own)
    assert (drawn["shown"] == (own["p_holm"] < 0.05).to_numpy()).all()
    np.testing.assert_allclose(drawn["mean"], 100 * own["mean"], rtol=1e-5)


def test_different_answers_are_what_agreement_leaves():
    rows = {"density": [1.0, 0.5], "round": [0, 1], "mean": [0.97, 0.95], "low": [0.96, 0.93], "high": [0.98, 0.97]}
    agreement = pd.DataFrame(rows)
    predictions = pd.concat(agreement.assign(measure=name) for name in ("agreement", "calibration_error"))
    images = pd.DataFrame({"round": [1], "density": [0.5], "share": [0.02]})
    differing, errors = datasets(anatomy.answers(predictions, agreement, images))
    lines = {name: group.set_index("left") for name, group in differing.groupby("arm")}
    assert lines["ticket and its dense network"].loc[50, ["mean", "low", "high"]].tolist() == [5, 3, 7]
    assert list(lines["ticket and its dense network"].index) == [50], "a network is not compared with itself"
    assert lines["two replicates"]["mean"].tolist() == [3, 5]
    assert lines["most tickets and most dense networks"]["mean"].tolist() == [2]
    assert errors["mean"].tolist() == [97, 95]


@pytest.mark.parametrize("shape", [(28, 28), (1, 9, 5), (3, 8, 8)])
def test_images_are_drawn_as_they_are(shape):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (10, *shape)).astype(np.uint8)
    pixels[0].flat[:2] = 0, 255
    images = pd.DataFrame({"image": range(10), "label": 3, "dense": [3, 3, 5] + [1] * 7, "ticket": [5, 7, 3] + [2] * 7})
    (drawn,) = datasets(exemplars.exemplars(images, pixels))
    assert list(drawn["kind"][:4]) == ["lost", "lost", "gained", "wrong before and after"]
    assert drawn["answers"][0] == "3 → 5"
    for url, image in zip(drawn["url"], pixels, strict=True):
        content = base64.b64decode(url.removeprefix("data:image/png;base64,"))
        expected = image if image.ndim == 2 else image[0] if len(image) == 1 else image.transpose(1, 2, 0)
        np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(content))), expected)
