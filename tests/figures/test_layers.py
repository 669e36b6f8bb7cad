import numpy as np
import pandas as pd
import pytest

from karikomi.figures import layers


@pytest.fixture(scope="module")
def units() -> pd.DataFrame:
    sizes = {"inputs": 12, "fc1": 300, "outputs": 3}
    rng = np.random.default_rng(0)
    frames = [
        pd.DataFrame(
            {
                "layer": layer,
                "index": np.arange(size),
                "value": rng.normal(size=size) if layer == "fc1" else np.nan,
                "label": [str(n) for n in range(size)] if layer == "outputs" else "",
            }
        )
        for layer, size in sizes.items()
    ]
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def links() -> pd.DataFrame:
    return pd.DataFrame({"gap": [0, 0, 1], "source": [11, 0, 7], "target": [7, 2, 1], "weight": [2.0, -1.0, -3.0]})


@pytest.fixture(scope="module")
def drawn(units, links) -> list[pd.DataFrame]:
    chart = layers.network(units, links, [(3, 4), None, None])
    return [pd.DataFrame(values) for values in chart.to_dict()["datasets"].values()]


def marks(drawn) -> pd.DataFrame:
    found = pd.concat(part for part in drawn if "area" in part).drop_duplicates(["layer", "index"])
    return found.set_index(["layer", "index"])


def test_every_unit_has_a_place_of_its_own(drawn, units):
    placed = marks(drawn)
    assert len(placed) == len(units)
    assert not placed.duplicated(["x", "y"]).any()


def test_layers_stand_side_by_side_around_one_line(drawn):
    placed = marks(drawn)
    ends = placed.groupby("layer", sort=False)["x"].agg(["min", "max"]).loc[["inputs", "fc1", "outputs"]]
    assert (ends["min"].to_numpy()[1:] - ends["max"].to_numpy()[:-1] >= layers.BETWEEN - 1e-3).all()
    middles = placed.groupby("layer")["y"].agg(lambda y: (y.min() + y.max()) / 2)
    np.testing.assert_allclose(middles, 0, atol=1e-3)


def test_the_highest_of_a_hidden_layer_is_at_the_top_left(drawn, units):
    placed = marks(drawn).loc["fc1"]
    highest = units[units["layer"] == "fc1"].set_index("index")["value"].idxmax()
    assert placed.loc[highest, ["x", "y"]].tolist() == [placed["x"].min(), placed["y"].min()]


def test_pixels_stand_as_in_the_image(drawn):
    placed = marks(drawn).loc["inputs"]
    assert placed["y"].rank(method="dense").tolist() == [row + 1 for row in range(3) for _ in range(4)]
    assert placed["x"].rank(method="dense").tolist() == 3 * [1, 2, 3, 4]


def test_links_lead_from_mark_to_mark(drawn):
    placed = marks(drawn)
    (lines,) = (part for part in drawn if "share" in part)
    for line, (source, target) in zip(
        lines.itertuples(),
        [(("inputs", 11), ("fc1", 7)), (("inputs", 0), ("fc1", 2)), (("fc1", 7), ("outputs", 1))],
        strict=True,
    ):
        assert (line.x, line.y) == pytest.approx(tuple(placed.loc[source, ["x", "y"]]))
        assert (line.x2, line.y2) == pytest.approx(tuple(placed.loc[target, ["x", "y"]]))
    assert lines["share"].tolist() == [1.0, 0.5, 1.0]
    assert lines["sign"].tolist() == ["positive link", "negative link", "negative link"]
