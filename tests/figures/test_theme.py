import json
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from karikomi.figures import lottery, theme


def colours(node) -> list[dict[str, str]]:
    """Every colour scale by arm in a chart's definition."""
    if isinstance(node, list):
        return [found for part in node for found in colours(part)]
    if not isinstance(node, dict):
        return []
    here = []
    if node.get("field") == "arm" and str(node.get("scale", {}).get("range", [""])[0]).startswith("#"):
        here = [dict(zip(node["scale"]["domain"], node["scale"]["range"], strict=True))]
    return here + [found for part in node.values() for found in colours(part)]


def test_an_arm_has_one_colour_in_all_figures_whichever_arms_are_there(arms, curves):
    everywhere: dict[str, set[str]] = {}
    for shown in (["dense", "random", "ticket"], list(theme.ARMS)):
        some_arms, some_curves = arms[arms["arm"].isin(shown)], curves[curves["arm"].isin(shown)]
        for chart in (
            lottery.accuracy(some_arms),
            lottery.early_stop(some_arms),
            lottery.learning_curves(some_curves[some_curves["round"] < 2]),
        ):
            scales = colours(chart.to_dict())
            assert scales
            for scale in scales:
                assert len(scale) == len(shown)
                for label, colour in scale.items():
                    everywhere.setdefault(label, set()).add(colour)
    assert everywhere == {arm.label: {arm.colour} for arm in theme.ARMS.values()}


def test_the_colours_differ_for_the_colour_blind():
    """Simulated by the matrices of Viénot, Brettel & Mollon (1999) on linear RGB, distance in CIE L*a*b*."""
    protan = [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]]
    deutan = [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]]
    srgb = np.array([[int(arm.colour[i : i + 2], 16) / 255 for i in (1, 3, 5)] for arm in theme.ARMS.values()])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    for vision in (np.eye(3), np.array(protan), np.array(deutan)):
        for a, b in combinations(_lab(np.clip(linear @ vision.T, 0, 1)), 2):
            assert np.linalg.norm(a - b) > 15


def _lab(linear: np.ndarray) -> np.ndarray:
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = linear @ np.array(to_xyz).T / [0.9505, 1.0, 1.089]
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def test_data_has_no_row_limit_and_is_valid_json():
    table = pd.DataFrame({"x": np.arange(6000) / 7, "y": [np.nan, *[1.0] * 5998, np.inf], "n": range(6000)})
    values = theme.inline(table).to_dict()["values"]
    assert len(values) == 6000
    assert values[0]["y"] is None
    assert values[-1]["y"] is None
    np.testing.assert_allclose([row["x"] for row in values], table["x"], rtol=1e-5)
    assert [row["n"] for row in json.loads(json.dumps(values, allow_nan=False))] == list(range(6000))


@pytest.mark.parametrize("count", [1, 2, 4])
def test_spread_keeps_the_ends(count):
    chosen = theme.spread(range(19), count)
    assert len(chosen) == count
    assert chosen[0] == 1
    assert count == 1 or chosen[-1] == 18
