import numpy as np
import pandas as pd

from karikomi.figures import importance


def datasets(chart) -> list[pd.DataFrame]:
    return [pd.DataFrame(values) for values in chart.to_dict()["datasets"].values()]


def test_every_unit_of_every_replicate_has_its_mark(knocked_out):
    (rows,) = datasets(importance.cost_by_layer(knocked_out))
    assert len(rows) == len(knocked_out)
    assert rows["jitter"].abs().max() <= 0.8
    np.testing.assert_allclose(rows["loss_rise"], 1000 * knocked_out["loss_rise"], rtol=1e-5)


def test_shapley_values_are_in_points_with_an_error_to_each_side(knocked_out):
    redundant = knocked_out["index"] == 3
    (rows,) = datasets(importance.shapley(knocked_out, redundant))
    assert len(rows) == 40
    np.testing.assert_allclose(rows["high"] - rows["low"], 200 * knocked_out["shapley_error"][:40], rtol=1e-4)
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
    (rows,) = datasets(importance.pairs(pairs))
    drawn = {(a, b): value for a, b, value in rows[["unit", "other", "interaction"]].to_numpy()}
    assert drawn == {
        ("fc1:0", "fc2:1"): 2.0,
        ("fc2:1", "fc1:0"): 2.0,
        ("fc1:0", "fc2:2"): -1.0,
        ("fc2:2", "fc1:0"): -1.0,
    }
