import numpy as np
import pandas as pd
import pytest

from karikomi.figures import space


@pytest.fixture(scope="module")
def deaths() -> pd.DataFrame:
    units = pd.DataFrame({"layer": [*6 * ["fc1"], *4 * ["fc2"]], "cycle": [1, 1, 2, 5, 0, 0, 3, 0, 0, 0]})
    return pd.concat([units.assign(pattern="regional"), units.assign(pattern="scattered", cycle=units["cycle"][::-1])])


def rows(chart) -> pd.DataFrame:
    (data,) = chart.to_dict()["datasets"].values()
    return pd.DataFrame(data)


def test_the_dead_are_those_whose_cycle_has_come_and_fade(deaths):
    placed = deaths.assign(x=np.arange(20.0), y=0.5)
    drawn = rows(space.units(placed, [1, 3, 6]))
    assert len(drawn) == 2 * 10 * 3
    regional = drawn[drawn["pattern"] == "regional"].set_index(["at", "x"])
    for number, dead in ((1, [0, 1]), (3, [0, 1, 2, 6]), (6, [0, 1, 2, 3, 6])):
        now = regional.loc[f"after cycle {number}"]
        assert sorted(now.index[now["dead"]]) == dead
    traces = [regional.loc[(f"after cycle {number}", 0.0), "trace"] for number in (1, 3, 6)]
    assert traces == pytest.approx([0.8, 0.8**3, 0.8**6], abs=1e-3)


def test_without_a_space_every_unit_has_a_place_of_its_own_in_its_layers_block(deaths):
    drawn = rows(space.units(deaths, [1]))
    for _, one in drawn.groupby("pattern"):
        assert len(one[["x", "y"]].drop_duplicates()) == 10
    assert drawn.loc[drawn["layer"] == "fc1", "x"].max() < drawn.loc[drawn["layer"] == "fc2", "x"].min()


def test_of_many_links_some_are_drawn_of_every_pattern():
    rng = np.random.default_rng(0)
    ends = pd.DataFrame(rng.uniform(size=(3000, 4)), columns=["x", "y", "x2", "y2"])
    links = ends.assign(pattern=["local", "long-range", "long-range"] * 1000, cycle=rng.integers(1, 4, 3000))
    drawn = rows(space.links(links, [1, 3]))
    assert drawn.groupby(["pattern", "at"]).size().tolist() == 4 * [space.LINKS_DRAWN]
    assert drawn.loc[drawn["at"] == "after cycle 3", "dead"].all()
