"""Figures for a paper: files of the width that was asked for, with letters of one size whatever the width."""

import io
import re

import altair as alt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from karikomi.errors import InputError
from karikomi.figures import lottery, wiring
from karikomi.figures.fitted import LETTERS, MM, drawn, fitted
from karikomi.figures.publish import WIDEST, publish
from karikomi.figures.theme import styled


@pytest.fixture(params=["accuracy", "learning_curves", "mask_image", "pixel_map", "unit_links"])
def chart(request, arms, curves, masks, pixels, units):
    some = curves[curves["round"].isin((0, 1, 10)) & curves["arm"].isin(("dense", "ticket", "reinit"))]
    made = {
        "accuracy": lambda: lottery.accuracy(arms),
        "learning_curves": lambda: lottery.learning_curves(some),
        "mask_image": lambda: wiring.mask_image({n: masks[n] for n in (1, 10)}),
        "pixel_map": lambda: wiring.pixel_map(pixels[pixels["round"].isin((1, 10))]),
        "unit_links": lambda: wiring.unit_links(units),
    }[request.param]()
    return styled(made).to_dict()


def size_in_points(pdf: bytes) -> tuple[float, float]:
    [box] = re.findall(rb"/MediaBox ?\[([^\]]+)\]", pdf)
    left, bottom, right, top = map(float, box.split())
    return right - left, top - bottom


def letter_sizes(svg: str) -> set[float]:
    """In points, by the size of the drawing and that of its letters."""
    width = float(re.findall(r'width="([\d.]+)pt"', svg)[0])
    scale = width / float(re.findall(r'viewBox="0 0 ([\d.]+)', svg)[0])
    return {round(scale * float(size), 2) for size in re.findall(r'font-size="([\d.]+)px"', svg)}


@pytest.mark.parametrize("width", [85, 180])
def test_every_file_is_as_wide_as_asked_and_its_letters_are_7_points_high(chart, tmp_path, width):
    paths = [tmp_path / f"figure.{ending}" for ending in ("pdf", "svg", "png")]
    for path in paths:
        publish(chart, path, f"{width}mm")
    pdf, svg, png = (path.read_bytes() for path in paths)
    across, high = size_in_points(pdf)
    assert across == pytest.approx(width * MM, abs=1)
    text = svg.decode()
    assert float(re.findall(r'width="([\d.]+)pt"', text)[0]) == pytest.approx(width * MM, abs=0.01)
    assert float(re.findall(r'height="([\d.]+)pt"', text)[0]) == pytest.approx(high, abs=1)
    assert 6.9 < min(letter_sizes(text)) <= max(letter_sizes(text)) < 8
    image = Image.open(io.BytesIO(png))
    assert image.width == pytest.approx(width / 25.4 * 300, abs=1)
    assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    assert sum(image.convert("L").histogram()[:200]) > 0.01 * image.width * image.height
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in paths}


def test_without_a_width_the_chart_is_as_it_is_drawn(chart, tmp_path):
    publish(chart, tmp_path / "figure.pdf")
    layout = drawn(chart)
    assert size_in_points((tmp_path / "figure.pdf").read_bytes()) == pytest.approx(
        (LETTERS * layout.width, LETTERS * layout.height), abs=1
    )


def bars(names: int, rows: int, width: int) -> dict:
    table = pd.DataFrame([(f"name {n}", row, n) for n in range(names) for row in range(rows)], columns=["a", "b", "x"])
    panel = alt.Chart(table).mark_bar().encode(x="x:Q", y="b:O", color="a:N").properties(width=width, height=15 * rows)
    return styled(alt.hconcat(*[panel] * names)).to_dict()


@settings(max_examples=10)  # each lays out a dozen charts
@given(st.integers(1, 4), st.integers(1, 5), st.integers(60, 500), st.floats(150, 1500))
def test_a_chart_gets_its_width_or_is_refused(names, rows, width, wanted):
    chart = bars(names, rows, width)
    try:
        layout = fitted(chart, wanted)
    except InputError as problem:
        needed = float(str(problem).split()[-1].removesuffix("mm")) * MM / LETTERS
        assert needed > wanted
        layout, wanted = fitted(chart, needed), needed
    assert layout.width == pytest.approx(wanted, rel=0.01)


def test_rows_of_names_keep_their_distance():
    chart = bars(1, 12, 400)
    whole, narrow = drawn(chart), fitted(chart, 240)
    assert narrow.height == pytest.approx(whole.height, abs=30)


def test_panels_that_do_not_fit_beside_one_another_stand_below():
    chart = bars(4, 4, 200)
    assert fitted(chart, 380).height > 1.6 * drawn(chart).height


def test_pixels_are_those_of_a_png(chart, tmp_path):
    publish(chart, tmp_path / "figure.png", "800px")
    with Image.open(tmp_path / "figure.png") as image:
        assert image.width == 800


@pytest.mark.parametrize("width", ["85", "mm", "-5mm", "85 miles", "0mm", "2000mm", "1e2mm", ""])
def test_a_width_that_is_none_is_refused(width, tmp_path):
    with pytest.raises(InputError, match="such as 85mm"):
        publish(bars(1, 2, 100), tmp_path / "figure.pdf", width)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_is_said_in_a_line_and_nothing_is_written(tmp_path):
    chart = bars(2, 2, 100)
    for name, given_too, message in (
        ("figure.gif", {}, "written as .pdf, .svg, .png; the file is called figure.gif"),
        ("figure", {}, "the file is called figure"),
        ("figure.pdf", {"width": "10mm"}, "cannot be read at this width"),
        ("absent/figure.pdf", {}, "cannot write .*absent/figure.pdf: No such file"),
    ):
        with pytest.raises(InputError, match=message):
            publish(chart, tmp_path / name, **given_too)
    assert list(tmp_path.iterdir()) == []
    assert pytest.approx(2834.6, abs=0.1) == WIDEST


def test_a_font_that_is_here_is_used(tmp_path):
    publish(bars(1, 2, 100), tmp_path / "figure.svg", font="Liberation Sans")  # it comes with vl-convert
    assert set(re.findall(r'font-family="([^"]+)"', (tmp_path / "figure.svg").read_text())) == {"Liberation Sans"}
