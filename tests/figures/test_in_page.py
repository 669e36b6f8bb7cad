"""The figures in the page, opened in a browser that can reach nothing."""

import re
import shutil
import subprocess

import pytest

from karikomi.figures import lottery, wiring
from karikomi.report.build import Figure, Section, build

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def page(arms, curves, masks, pixels, units) -> str:
    charts = [
        lottery.accuracy(arms),
        lottery.early_stop(arms),
        lottery.learning_curves(curves),
        wiring.pixel_map(pixels),
        wiring.mask_image(masks),
        wiring.unit_links(units),
    ]
    return build(
        "Title", "Lead.", [Section("All", figures=[Figure(chart.to_dict(), "Caption.") for chart in charts])], {}
    )


def test_the_page_of_a_default_run_stays_light(page):
    assert len(page.encode()) < 2_000_000


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here to open the page with")
@pytest.mark.parametrize("width", [500, 1200])
def test_all_charts_draw_offline(page, width, tmp_path):
    file = tmp_path / "report.html"
    file.write_text(page, encoding="utf-8")
    assert CHROMIUM is not None
    command = [
        *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", "--virtual-time-budget=10000"),
        *(f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},900", "--dump-dom", file.as_uri()),
    ]
    opened = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    # From each card to the next: what was drawn there.
    cards = re.split(r'<div class="card[^>]*id="chart-\d"', opened.stdout.split('<script type="application/json"')[0])[
        1:
    ]
    assert len(cards) == 6
    for card in cards:
        assert card.count('class="marks"') == 1
        assert len(re.findall(r"<(?:path|rect|image|line)\b", card)) > 10
    # Whatever a page refuses to load, or Vega warns of, comes out in the console.
    assert "CONSOLE" not in opened.stderr
