import json
import re
from html.parser import HTMLParser
from typing import NamedTuple

import altair as alt
import pytest

from karikomi.report.build import Figure, Section, build
from karikomi.studies.verdict import Verdict

HOSTILE = """</script><script>alert("1")</script><!-- <b>&amp; ' {{ 7 * 7 }} {% if %} \\u003c"""


class Words(NamedTuple):
    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]


class Page(HTMLParser):
    """Elements with their attributes and text, in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), []))

    def handle_data(self, data):
        if self.elements:
            self.elements[-1][2].append(data)

    def all(self, *tags: str) -> list[tuple[str, dict[str, str | None], str]]:
        return [(tag, attributes, "".join(text).strip()) for tag, attributes, text in self.elements if tag in tags]

    def texts(self, tag: str) -> list[str]:
        return [text for _, _, text in self.all(tag)]


def chart(word: str = "a") -> alt.Chart:
    return alt.Chart(alt.InlineData(values=[{"x": 1, "word": word}])).mark_point().encode(x="x:Q", tooltip="word:N")


TABLE = Words(
    "Ticket minus dense",
    ("links left", "early stop", "p", "verdict"),
    [
        ("80.0 %", "-150 ± 21", "< 0.001", Verdict("winning ticket", "good")),
        ("21.1 %", "+20", "–", Verdict("not shown", "open")),
        ("3.6 %", "+1,100 ± 30", "0.030", Verdict("lost", "bad")),
    ],
)


def test_numbers_are_set_to_the_right_and_verdicts_are_badges():
    page = Page(build("t", "l", [Section("h", tables=[TABLE])], {}))
    head = [(text, attributes.get("class")) for _, attributes, text in page.all("th")]
    assert head == [("links left", "number"), ("early stop", "number"), ("p", "number"), ("verdict", None)]
    badges = [(text, attributes["class"]) for _, attributes, text in page.all("span")]
    assert badges == [("winning ticket", "badge good"), ("not shown", "badge open"), ("lost", "badge bad")]
    assert [text for text in page.texts("td") if text] == [cell for row in TABLE.rows for cell in row[:3]]
    assert page.texts("caption") == [TABLE.title]


def test_a_column_with_a_word_in_it_is_not_one_of_numbers():
    page = Page(build("t", "l", [Section("h", tables=[Words("", ("n", "empty"), [("5", ""), ("many", "")])])], {}))
    assert [attributes.get("class") for _, attributes, _ in page.all("th")] == [None, None]


def test_numbers_with_intervals_and_without_stand_below_one_another():
    cells = [("-150 ± 21", "0.161"), ("+20", "0.081 (uncorrected 0.040)"), ("", "–"), ("+1,100 ± 300", "< 0.001")]
    page = Page(build("t", "l", [Section("h", tables=[Words("", ("n", "p"), cells)])], {}))
    assert [attributes.get("class") for _, attributes, _ in page.all("th")] == ["number", None], (
        "p stands over the numbers"
    )
    assert {attributes.get("class") for _, attributes, _ in page.all("td")} == {"number"}
    unseen = [attributes.get("data-pad", "") or "" for _, attributes, _ in page.all("td")]
    notes = " (uncorrected 0.040)"
    assert unseen == ["0", notes, " ± 300", "", "", notes, "", notes]


def test_figures_fill_their_rows_and_are_numbered_in_that_order():
    widths = {"Half a.": 300, "Whole.": 900, "Half b.": 300, "Half c.": 300}
    figures = [Figure(chart().properties(width=width).to_dict(), caption) for caption, width in widths.items()]
    html = build("t", "l", [Section("h", figures=figures)], {})
    found = re.findall(r"<figcaption><b>(Figure \d\.)</b> (.*?)</figcaption>", html)
    assert found == [
        ("Figure 1.", "Half a."),
        ("Figure 2.", "Half b."),
        ("Figure 3.", "Whole."),
        ("Figure 4.", "Half c."),
    ]
    specs = json.loads(html.split('id="charts"', 1)[1].split(">", 1)[1].split("</script>", 1)[0])
    assert [spec["description"] for spec in specs] == [caption for _, caption in found]


def test_a_table_without_rows_keeps_its_columns():
    assert Page(build("t", "l", [Section("h", tables=[Words("", ("a", "b"), [])])], {})).texts("th") == ["a", "b"]


def test_text_has_paragraphs_and_facts_are_folded_away():
    facts = {"Settings": {"arms": ("dense", "ticket"), "rate": 0.2}, "Environment": {"packages": {"torch": "2.13"}}}
    page = Page(build("Title", "Lead.", [Section("Heading", "One\nline.\n\n\nTwo.")], facts))
    assert page.texts("h1") == ["Title"]
    assert page.texts("p")[:3] == ["Lead.", "One\nline.", "Two."]
    assert page.texts("summary") == ["Settings", "Environment"]
    found = list(zip(page.texts("dt"), page.texts("dd"), strict=True))
    assert found == [("arms", "dense, ticket"), ("rate", "0.2"), ("packages", "torch 2.13")]
    assert all("open" not in attributes for _, attributes, _ in page.all("details"))


def test_figures_are_numbered_through_and_their_definitions_are_in_the_page():
    sections = [
        Section("a", figures=[Figure(chart("x").to_dict(), "First.")]),
        Section("b", figures=[Figure(chart("y").to_dict(), "Second.")]),
    ]
    page = Page(build("t", "l", sections, {}))
    assert [attributes["id"] for _, attributes, _ in page.all("div") if attributes.get("class") == "card"] == [
        "chart-0",
        "chart-1",
    ]
    data = next(text for _, attributes, text in page.all("script") if attributes.get("id") == "charts")
    assert [spec["description"] for spec in json.loads(data)] == ["First.", "Second."]
    for spec, word in zip(json.loads(data), ("x", "y"), strict=True):
        same = ("datasets", "data", "encoding")
        assert {key: spec[key] for key in same} == {key: chart(word).to_dict()[key] for key in same}


def test_a_page_without_figures_carries_no_viewer():
    assert len(build("t", "l", [Section("h")], {})) < 30_000


def test_hostile_text_stays_text():
    hostile = Section(
        HOSTILE, HOSTILE, [Words(HOSTILE, (HOSTILE,), [(HOSTILE,)])], [Figure(chart(HOSTILE).to_dict(), HOSTILE)]
    )
    harmless = Section("h", "p", [Words("t", ("c",), [("x",)])], [Figure(chart("w").to_dict(), "f")])
    page = Page(build(HOSTILE, HOSTILE, [hostile], {HOSTILE: {HOSTILE: HOSTILE}}, HOSTILE))
    plain = Page(build("t", "l", [harmless], {"g": {"n": "v"}}, "c"))
    assert [tag for tag, _, _ in page.elements] == [tag for tag, _, _ in plain.elements]
    for tag in ("title", "h1", "h2", "caption", "th", "td", "summary", "dt", "dd", "code"):
        assert HOSTILE in page.texts(tag)
    (spec,) = json.loads(next(text for _, attributes, text in page.all("script") if attributes.get("id") == "charts"))
    assert next(iter(spec["datasets"].values()))[0]["word"] == HOSTILE
    assert spec["description"] == HOSTILE


def test_the_page_refers_to_nothing_outside_itself():
    html = build("t", "l", [Section("h", tables=[TABLE], figures=[Figure(chart().to_dict(), "c")])], {"g": {"a": "b"}})
    page = Page(html)
    for _, attributes, _ in page.all(*{tag for tag, _, _ in page.elements}):
        assert not {"src", "srcset", "data", "action", "poster"} & set(attributes)
        assert (attributes.get("href") or "#").startswith("#")
    (style,) = page.texts("style")
    assert "url(" not in style
    assert "@import" not in style
    policy = next(a["content"] for _, a, _ in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert not re.search(r"https?:|\*", policy)


@pytest.mark.parametrize("facts", [{}, {"Settings": {}}])
def test_the_same_page_each_time(facts):
    sections = [Section("h", tables=[TABLE], figures=[Figure(chart().to_dict(), "c")])]
    assert build("t", "l", sections, facts) == build("t", "l", sections, facts)
