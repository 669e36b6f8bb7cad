"""A page opened in a browser that can reach nothing: arms, tables and copies, and hostile names."""

from collections.abc import Iterator

import altair as alt
import pandas as pd
import pytest
from tests.browser import CHROMIUM, Browser

from karikomi.figures.theme import styled
from karikomi.report.build import Figure, Section, build
from karikomi.report.life import Curve, Life, Strand
from karikomi.studies.show import DisplayTable

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here to open the page with")

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"
COLOURS = {"ticket": "#0072B2", HOSTILE: "#D55E00"}
CELLS = ["98.1 ± 0.2", "–", "+1,100 ± 30", "-2.5", "< 0.001"]
COMMAND = "karikomi lottery --network 'a b'"
READY = "[...document.querySelectorAll('.card')].every(card => card.querySelector('.marks'))"


def chart() -> dict:
    rows = pd.DataFrame([(arm, x, x) for arm in COLOURS for x in range(3)], columns=["arm", "x", "y"])
    scale = alt.Scale(domain=list(COLOURS), range=list(COLOURS.values()))
    points = alt.Chart(rows).mark_point().encode(x="x:Q", y="y:Q", color=alt.Color("arm:N", scale=scale))
    return styled(points.properties(width=300, height=200)).to_dict()


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Browser]:
    table = DisplayTable(HOSTILE, ("name", "value"), [(f"{HOSTILE} {i}, x", cell) for i, cell in enumerate(CELLS)])
    curves = [Curve(name, name, colour, [0.5, 0.6]) for name, colour in COLOURS.items()]
    life = Life(HOSTILE, ["round 0", HOSTILE], {}, [], [], [Strand(HOSTILE, [], [0.5, 0.6])], curves)
    figures = [Figure(chart(), HOSTILE), Figure(chart(), "Again.")]
    sections = [Section("Answer", HOSTILE, [table]), Section("Figures", figures=figures)]
    page = tmp_path_factory.mktemp("page") / "report.html"
    page.write_text(build(HOSTILE, HOSTILE, sections, {HOSTILE: {HOSTILE: HOSTILE}}, COMMAND, life), encoding="utf-8")
    with Browser(tmp_path_factory.mktemp("profile"), 1300) as browser:
        browser.open(page.as_uri())
        browser.wait(READY)
        browser.wait("document.querySelector('.life').dataset.ready === ''")
        yield browser
        assert browser.complaints == []
        assert [address for address in browser.requests if not address.startswith("data:")] == [page.as_uri()]


def test_hostile_names_stay_text(browser):
    assert browser.value("document.querySelector('h1').textContent") == HOSTILE
    assert browser.value("document.querySelectorAll('h1 *, .legend script, main img').length") == 0
    assert browser.value("document.querySelector('#strand option').textContent") == HOSTILE


def test_an_arm_goes_off_in_all_charts_at_once_and_comes_back(browser):
    points = "card => card.querySelectorAll('.mark-symbol.role-mark path').length"
    points = f"[...document.querySelectorAll('.card')].map({points})"
    assert browser.value(points) == [6, 6]
    button = "document.querySelectorAll('.arms button')[0]"
    browser.value(f"{button}.click()")
    assert browser.value(f"{button}.getAttribute('aria-pressed')") == "false"
    browser.wait(f"({points}).join() === '3,3'")
    hidden = "[...document.querySelectorAll('#curves .curve')].filter(each => each.style.display === 'none')"
    assert browser.value(f"{hidden}.map(each => each.dataset.arm)") == ["ticket"]
    browser.value(f"{button}.click()")
    browser.wait(f"({points}).join() === '6,6'")


def test_a_table_sorts_both_ways_by_its_numbers(browser):
    column = "[...document.querySelectorAll('.sheet tbody tr')].map(row => row.cells[1].innerText)"
    rising = ["-2.5", "< 0.001", "98.1 ± 0.2", "+1,100 ± 30", "–"]
    head = "document.querySelectorAll('.sheet th')[1]"
    for direction, expected in (("ascending", rising), ("descending", rising[::-1])):
        browser.value(f"{head}.querySelector('button').click()")
        assert browser.value(f"{head}.getAttribute('aria-sort')") == direction
        assert browser.value(column) == expected
    assert browser.value("document.querySelectorAll('[aria-sort]').length") == 1


def test_a_table_and_the_command_are_copied(browser):
    browser.value("navigator.clipboard.writeText = async text => { window.copied = text; }")
    browser.value("document.querySelectorAll('.sheet th button')[0].click()")
    browser.value("document.querySelector('.sheet > button').click()")
    browser.wait("window.copied")
    lines = [f'"{HOSTILE} {i}, x",{cell}' for i, cell in enumerate(CELLS)]
    assert browser.value("window.copied").replace('"+1,100', "+1,100").replace('30"', "30").splitlines() == [
        "name,value",
        *lines,
    ]
    browser.value("document.querySelector('.command button').click()")
    browser.wait(f"window.copied === {COMMAND!r}".replace('"', "`"))


def test_landmarks_and_names_for_who_does_not_see(browser):
    assert browser.value("['header', 'nav', 'main', 'footer'].every(name => document.querySelector(name))")
    unnamed = "[...document.querySelectorAll('button, input, select, canvas, section, table')].filter(each =>"
    unnamed += " !(each.innerText || each.getAttribute('aria-label') || each.getAttribute('aria-labelledby')"
    unnamed += " || each.labels?.length))"
    assert browser.value(f"{unnamed}.map(each => each.outerHTML)") == []
    browser.value(
        "document.getElementById('step').value = 1; document.getElementById('step').dispatchEvent(new Event('input'))"
    )
    browser.wait("document.getElementById('said').textContent.includes('60.00 %')")
    assert browser.value("document.getElementById('step').getAttribute('aria-valuetext')").endswith("60.00 %")
