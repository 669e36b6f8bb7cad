from itertools import product

import numpy as np
import pandas as pd
import pytest

from karikomi.figures import groups, space

CENTRES = {"inputs": (-2, 0), "fc1": (-1, 0), "fc2": (1, 0.5), "output": (2, 1)}


@pytest.fixture(scope="module")
def units() -> pd.DataFrame:
    """A group of 30 units beside 100 inputs, one of 20 beside 4 outputs."""
    sizes, rng = {"inputs": 100, "fc1": 30, "fc2": 20, "output": 4}, np.random.default_rng(0)
    frames = [
        pd.DataFrame({"layer": layer, "group": int(layer in ("fc2", "output")), "x": 0.0, "y": 0.0}, index=range(size))
        for layer, size in sizes.items()
    ]
    frame = pd.concat(frames, ignore_index=True)
    centre = np.array([CENTRES[layer] for layer in frame["layer"]])
    frame[["x", "y"]] = centre + rng.uniform(-0.2, 0.2, centre.shape)
    return frame


@pytest.fixture(scope="module")
def links() -> pd.DataFrame:
    ends = pd.DataFrame(np.random.default_rng(1).uniform(size=(3000, 4)), columns=["x", "y", "x2", "y2"])
    return ends.assign(group=np.arange(3000) // 1500)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Within a group most of what can be is there; nothing leads from group 1 to group 0."""
    rows = [(0, 0, 1200, 1200, 1.0), (0, 1, 60, 1200, 0.25), (1, 0, 0, 0, np.nan), (1, 1, 0, 400, 0.0)]
    return pd.DataFrame(rows, columns=["from", "to", "links", "places", "efficiency"])


def data(spec: dict, layer: dict) -> pd.DataFrame:
    return pd.DataFrame(spec["datasets"][layer["data"]["name"]])


def test_every_unit_is_a_mark_at_its_place_and_many_links_are_thinned(units, links):
    spec = groups.space(units, links).to_dict()
    lines, dots = (data(spec, layer) for layer in spec["layer"][:2])
    assert len(lines) == space.LINKS_DRAWN
    assert lines["group"].value_counts().tolist() == 2 * [space.LINKS_DRAWN // 2]
    there, wanted = (
        {(f"{x:.6g}", f"{y:.6g}", group) for x, y, group in zip(each["x"], each["y"], each["group"], strict=True)}
        for each in (dots, units)
    )
    assert len(dots) == len(there) == len(units)
    assert there == wanted


def test_a_unit_of_length_is_the_same_in_both_directions(units, links):
    spec = groups.space(units, links).to_dict()
    for layer in spec["layer"]:
        for side, axis in (("width", "x"), ("height", "y")):
            low, high = layer["encoding"][axis]["scale"]["domain"]
            assert spec[side] == pytest.approx(groups.SCALE * (high - low))
            assert low < units[axis].min() < units[axis].max() < high


def test_groups_have_their_numbers_in_the_middle_and_inputs_and_outputs_their_names_beside(units, links):
    spec = groups.space(units, links).to_dict()
    names = data(spec, spec["layer"][-1]).set_index("name")
    assert set(names.index) == {"0", "1", "inputs", "outputs"}
    for name, layer in (("0", "fc1"), ("1", "fc2")):
        middle = units.loc[units["layer"] == layer, ["x", "y"]].mean()
        assert names.loc[name, ["x", "y"]].tolist() == pytest.approx(middle.tolist(), rel=1e-4)
    of = units.groupby("layer")["y"]
    assert names.loc["inputs", "y"] > of.max()["inputs"]
    assert names.loc["outputs", "y"] < of.min()["output"]


def test_marks_of_a_disk_do_not_cover_more_than_it(units, links):
    spec = groups.space(units, links).to_dict()
    dots = data(spec, spec["layer"][1])
    covered = dots.groupby("layer")["area"].sum()
    assert (covered < np.pi * (0.2 * groups.SCALE) ** 2).all()
    assert dots.groupby("layer")["area"].nunique().tolist() == 4 * [1]


def test_a_network_without_long_range_links_is_drawn(units, links):
    spec = groups.space(units, links[:0]).to_dict()
    assert len(data(spec, spec["layer"][0])) == 0
    assert len(data(spec, spec["layer"][1])) == len(units)


def test_groups_beyond_the_palette_have_colours_of_their_own(units, links):
    many = units.assign(group=np.arange(len(units)) % 12)
    colour = groups.space(many, links).to_dict()["layer"][1]["encoding"]["color"]
    assert colour["sort"] == list(range(12))
    assert "range" not in colour["scale"]


def test_every_cell_has_its_number_and_a_dash_where_nothing_could_lead(table):
    spec = groups.traffic(table).to_dict()
    links, near = (data(spec, panel) for panel in spec["concat"])
    assert links["number"].tolist() == ["1,200", "60", "–", "0"]
    assert links["value"].tolist() == pytest.approx([100, 5, np.nan, 0], nan_ok=True)
    assert near["number"].tolist() == ["1.00", "0.25", "–", "0.00"]
    assert near["value"].tolist() == pytest.approx([1, 0.25, np.nan, 0], nan_ok=True)
    for panel in spec["concat"]:
        for layer in panel["layer"]:
            assert layer["encoding"]["x"]["field"] == "from"
            assert layer["encoding"]["y"]["field"] == "to"


@pytest.mark.parametrize(("count", "columns"), [(5, 2), (9, 2), (12, 1)])
def test_heat_maps_that_fit_a_page_are_side_by_side(count, columns):
    pairs = [(of, to, 1000, 2000, 0.5) for of, to in product(range(count), repeat=2)]
    wide = pd.DataFrame(pairs, columns=["from", "to", "links", "places", "efficiency"])
    spec = groups.traffic(wide).to_dict()
    assert spec["columns"] == columns
    assert all(panel["width"] == panel["height"] >= count * groups.LEAST_CELL for panel in spec["concat"])
    assert columns * spec["concat"][0]["width"] <= 2 * groups.HALF_PAGE
