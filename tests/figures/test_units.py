import pandas as pd

from karikomi.figures import units


def test_layers_keep_their_colours_and_many_layers_a_scale():
    few = units.layer_colour(pd.Series(["fc1", "fc2", "fc1"]))["scale"]
    assert few["domain"] == ["fc1", "fc2"]
    assert len(few["range"]) == 2
    many = units.layer_colour(pd.Series([f"fc{n}" for n in range(12)]))["scale"]
    assert many["scheme"] == "viridis"


def test_the_axis_of_a_rise_in_loss_has_ticks_inside_its_ends():
    axis = units.rise_axis(pd.Series([-0.0012, 0.0, 0.02]))
    assert axis["scale"]["domain"] == [-1.2, 20.0]
    assert sorted(axis["axis"]["values"]) == [-1, 0, 1, 3, 10]
