"""The figures in the page, opened in a browser that can reach nothing."""

import pytest
from tests.browser import CHROMIUM, Browser

from karikomi.figures import anatomy, lottery, theme, wiring
from karikomi.report.build import Figure, Section, build
from karikomi.studies.lottery.settings import LotterySettings


@pytest.fixture(scope="module")
def page(arms, curves, masks, pixels, units, histograms, shared, changes) -> str:
    """That of a default run."""
    default = LotterySettings().arms
    arms, curves = arms[arms["arm"].isin(default)], curves[curves["arm"].isin(default)]
    charts = [
        lottery.accuracy(arms),
        lottery.early_stop(arms),
        lottery.learning_curves(curves),
        wiring.pixel_map(pixels),
        wiring.mask_image(masks),
        wiring.unit_links(units),
        anatomy.weights(histograms),
        anatomy.links_in_common(shared),
        anatomy.recalls(changes),
    ]
    figures = [Figure(theme.styled(chart).to_dict(), "Caption.") for chart in charts]
    return build("Title", "Lead.", [Section("All", figures=figures)], {})


def test_the_page_of_a_default_run_stays_light(page):
    assert len(page.encode()) < 2_000_000


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here to open the page with")
@pytest.mark.parametrize("width", [500, 1200])
def test_all_charts_draw_offline(page, width, tmp_path):
    file = tmp_path / "report.html"
    file.write_text(page, encoding="utf-8")
    with Browser(tmp_path / "profile", width) as browser:
        browser.open(file.as_uri())
        assert browser.value("document.querySelectorAll('.card').length") == 9
        browser.wait("[...document.querySelectorAll('.card')].every(card => card.querySelector('.marks'))")
        for_each = "[...document.querySelectorAll('.card')].map(card => card.querySelectorAll"
        assert browser.value(f"{for_each}('.marks').length)") == [1] * 9
        assert min(browser.value(f"{for_each}('path,rect,image,line').length)")) > 10
        # Whatever a page refuses to load, or Vega warns of, comes out in the console.
        assert browser.complaints == []
        assert all(address.startswith(("file:", "data:")) for address in browser.requests)
