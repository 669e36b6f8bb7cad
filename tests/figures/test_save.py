import io
import xml.etree.ElementTree as ET

import pytest
from PIL import Image

from karikomi.figures import lottery, wiring
from karikomi.figures.save import save


@pytest.fixture(params=["accuracy", "early_stop", "learning_curves", "mask_image", "pixel_map", "unit_links"])
def make(request, arms, curves, masks, pixels, units):
    return {
        "accuracy": lambda: lottery.accuracy(arms),
        "early_stop": lambda: lottery.early_stop(arms),
        "learning_curves": lambda: lottery.learning_curves(curves[curves["round"].isin((0, 1, 10))]),
        "mask_image": lambda: wiring.mask_image({n: masks[n] for n in (1, 10)}),
        "pixel_map": lambda: wiring.pixel_map(pixels[pixels["round"].isin((1, 10))]),
        "unit_links": lambda: wiring.unit_links(units),
    }[request.param]


def test_every_figure_is_drawn_as_png_and_svg(make, tmp_path, capfd):
    png, svg = save(make().to_dict(), tmp_path, "figure")
    assert sorted(tmp_path.iterdir()) == [png, svg]
    image = Image.open(io.BytesIO(png.read_bytes())).convert("L")
    drawing = ET.fromstring(svg.read_text(encoding="utf-8"))
    # PNG has two pixels per point; a chart that lost its data is blank where its marks should be.
    assert abs(image.width - 2 * float(drawing.attrib["width"])) <= 2
    assert sum(image.histogram()[:200]) > 0.01 * image.width * image.height
    assert capfd.readouterr().err == ""


def test_a_figure_is_the_same_each_time(make):
    assert make().to_json() == make().to_json()
