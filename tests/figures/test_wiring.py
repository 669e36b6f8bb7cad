import base64
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from karikomi.figures import wiring


def datasets(chart) -> list[pd.DataFrame]:
    return [pd.DataFrame(values) for values in chart.to_dict()["datasets"].values()]


def decoded(url: str) -> np.ndarray:
    content = base64.b64decode(url.removeprefix("data:image/png;base64,"))
    return np.array(Image.open(io.BytesIO(content)).convert("L"))


def test_every_dot_of_the_mask_is_a_link(masks):
    (rows,) = datasets(wiring.mask_image(masks))
    assert list(rows["round"]) == list(masks)
    for number, url in zip(rows["round"], rows["image"], strict=True):
        np.testing.assert_array_equal(decoded(url), np.where(masks[number].T, 0, 255))


def test_the_mask_shows_the_last_round_first_and_has_a_slider(masks):
    (control,) = wiring.mask_image(masks).to_dict()["params"]
    assert control["value"] == max(masks)
    assert (control["bind"]["min"], control["bind"]["max"]) == (min(masks), max(masks))
    (alone,) = wiring.mask_image({3: masks[3]}).to_dict()["params"]
    assert "bind" not in alone


def test_a_large_layer_shows_its_last_rounds_only(monkeypatch, masks):
    monkeypatch.setattr(wiring, "LINKS_DRAWN", 3 * 784 * 300)
    (rows,) = datasets(wiring.mask_image(masks))
    assert list(rows["round"]) == [8, 9, 10]
    monkeypatch.setattr(wiring, "LINKS_DRAWN", 1)
    (rows,) = datasets(wiring.mask_image(masks))
    assert list(rows["round"]) == [10]


def test_pixel_maps_hold_the_tables_numbers(pixels):
    maps = datasets(wiring.pixel_map(pixels[pixels["round"].isin((2, 9))]))
    assert len(maps) == 2
    for drawn in maps:
        drawn_map = drawn.pivot_table(index="row", columns="column", values="links").to_numpy()
        number = 2 if drawn["links"].sum() > 100_000 else 9
        table = pixels[pixels["round"] == number].pivot_table(index="row", columns="column", values="links").to_numpy()
        np.testing.assert_allclose(drawn_map, table, rtol=1e-5)


@pytest.mark.parametrize(("rows", "columns"), [(28, 28), (8, 30), (200, 10)])
def test_pixels_are_square_and_whole_points(rows, columns):
    row, column = (place.ravel() for place in np.indices((rows, columns)))
    table = pd.DataFrame({"round": 1, "density": 0.5, "row": row, "column": column, "links": 1.0 * row})
    (spec,) = wiring.pixel_map(table).to_dict()["concat"]
    assert spec["width"] * rows == spec["height"] * columns
    assert spec["width"] % columns == 0


def test_the_histograms_count_every_unit_once(units):
    (bars,) = datasets(wiring.unit_links(units))
    for (layer, side), panel in bars.groupby(["layer", "side"]):
        which = "into" if "into" in side else "out of"
        links = units[(units["layer"] == layer) & (units["side"] == which)]["links"]
        assert panel["units"].sum() == len(links)
        for bar in panel.to_dict("records"):
            assert bar["units"] == links.between(bar["from"], bar["to"] - 1).sum()


def test_histograms_show_the_last_round_only(units):
    before = units.assign(round=3, links=7)
    pd.testing.assert_frame_equal(
        datasets(wiring.unit_links(pd.concat([before, units])))[0], datasets(wiring.unit_links(units))[0]
    )
