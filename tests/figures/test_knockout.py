import numpy as np
import pandas as pd
import pytest

from karikomi.errors import InputError
from karikomi.figures import knockout


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    units = pd.DataFrame(
        [(r, layer, i) for r in range(3) for layer in ("fc1", "fc2") for i in range(20)],
        columns=["replicate", "layer", "index"],
    )
    rise = np.exp(rng.normal(-7, 1, len(units)))
    return units.assign(
        loss_rise=rise,
        shapley_value=10 * rise,
        shapley_error=rise,
        **{"taylor": rise * rng.uniform(0.5, 2, len(units)), "in-strength": rng.uniform(10, 20, len(units))},
    )


def datasets(chart) -> list[pd.DataFrame]:
    return [pd.DataFrame(values) for values in chart.to_dict()["datasets"].values()]


def test_every_unit_of_every_replicate_has_its_mark(table):
    (rows,) = datasets(knockout.cost_by_layer(table))
    assert len(rows) == len(table)
    assert rows["jitter"].abs().max() <= 0.8
    np.testing.assert_allclose(rows["loss_rise"], 1000 * table["loss_rise"], rtol=1e-5)


def test_shapley_values_are_in_points_with_an_error_to_each_side(table):
    redundant = table["index"] == 3
    (rows,) = datasets(knockout.shapley(table, redundant))
    assert len(rows) == 40
    np.testing.assert_allclose(rows["high"] - rows["low"], 200 * table["shapley_error"][:40], rtol=1e-4)
    assert rows["index"][rows["redundant"]].tolist() == [3, 3]


def test_pairs_are_drawn_both_ways():
    pairs = pd.DataFrame(
        {
            "replicate": [0, 0, 1],
            "first_layer": "fc1",
            "first_index": [0, 0, 5],
            "second_layer": "fc2",
            "second_index": [1, 2, 6],
            "interaction": [0.002, -0.001, 9.0],
        }
    )
    (rows,) = datasets(knockout.pairs(pairs))
    drawn = {(a, b): value for a, b, value in rows[["unit", "other", "interaction"]].to_numpy()}
    assert drawn == {
        ("fc1:0", "fc2:1"): 2.0,
        ("fc2:1", "fc1:0"): 2.0,
        ("fc1:0", "fc2:2"): -1.0,
        ("fc2:2", "fc1:0"): -1.0,
    }
    with pytest.raises(InputError, match="no pairs"):
        knockout.pairs(pairs.iloc[:0])
