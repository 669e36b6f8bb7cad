import json

import numpy as np
import pandas as pd
import pytest

from karikomi.figures import scores

CRITERIA = ["taylor", "in-strength"]


@pytest.fixture(scope="module")
def found() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "criterion": CRITERIA,
            "rho": [0.8, -0.1],
            "low": [0.7, -0.2],
            "high": [0.9, 0.0],
            "partial_rho": [0.5, np.nan],
            "partial_low": [0.4, np.nan],
            "partial_high": [0.6, np.nan],
        }
    )


def datasets(chart) -> list[pd.DataFrame]:
    return [pd.DataFrame(values) for values in chart.to_dict()["datasets"].values()]


def test_scores_are_drawn_for_one_replicate_with_their_correlation(knocked_out, found):
    chart = scores.scatter(knocked_out, found)
    (rows,) = datasets(chart)
    first = knocked_out[knocked_out["replicate"] == 0]
    np.testing.assert_allclose(rows["taylor"], first["taylor"], rtol=1e-5)
    np.testing.assert_allclose(rows["loss_rise"], 1000 * first["loss_rise"], rtol=1e-5)
    labels = chart.to_dict()["facet"]["header"]["labelExpr"]
    assert json.loads(labels.removeprefix("(").partition(")[datum")[0]) == {
        "taylor": "taylor: ρ = 0.80",
        "in-strength": "in-strength: ρ = −0.10",
    }


def test_associations_have_grey_marks_only_where_something_is_held_constant(found):
    def kinds(given):
        rows = pd.concat(part for part in datasets(scores.associations(found, given)) if "kind" in part)
        return rows.groupby("kind")["criterion"].apply(list).to_dict()

    assert kinds(["in-strength"]) == {"alone": CRITERIA, "with in-strength held constant": ["taylor"]}
    assert kinds([]) == {"alone": CRITERIA}


def test_the_heat_map_has_a_cell_for_every_pair_that_has_a_correlation():
    names = ["a", "b"]
    matrix = pd.DataFrame([[1, 0.5], [0.5, np.nan]], index=pd.Index(names), columns=pd.Index(names))
    (rows,) = datasets(scores.correlations(matrix))
    assert {tuple(row) for row in rows[["score", "other", "rho"]].to_numpy()} == {
        ("a", "a", 1.0),
        ("a", "b", 0.5),
        ("b", "a", 0.5),
    }


def test_rank_curves_fall_from_the_mean_of_the_highest_to_that_of_the_lowest(knocked_out):
    (rows,) = datasets(scores.ranks(knocked_out, CRITERIA))
    highest = knocked_out.groupby(["layer", "replicate"])["taylor"].max().groupby("layer").mean()
    curve = rows[(rows["layer"] == "fc2") & (rows["criterion"] == "taylor")]
    assert curve["rank"].tolist() == list(range(1, 21))
    assert curve["score"].iloc[0] == pytest.approx(highest["fc2"], rel=1e-5)
    assert (np.diff(curve["score"]) <= 0).all()


def test_long_rank_curves_are_thinned_and_keep_their_ends():
    units = pd.DataFrame({"replicate": 0, "layer": "fc1", "taylor": np.arange(1000.0)})
    (rows,) = datasets(scores.ranks(units, ["taylor"]))
    assert len(rows) == scores.RANKS_DRAWN
    assert rows[["rank", "score"]].iloc[[0, -1]].to_numpy().tolist() == [[1, 999], [1000, 0]]
