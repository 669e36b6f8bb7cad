"""Summaries and pages of small runs of every study in Japanese: all is said, numbers are equal, no English is left."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pandas as pd
import pytest
from tests.browser import CHROMIUM, Browser

import karikomi
from karikomi import plan
from karikomi.errors import InputError
from karikomi.figures import fonts
from karikomi.figures.fonts import has_font
from karikomi.language import parts, translate, translate_cell
from karikomi.language.catalog import CELLS, catalog
from karikomi.networks import NETWORKS
from karikomi.removal.scores import LINK_CRITERIA, UNIT_CRITERIA
from karikomi.report import build, images, translated, words
from karikomi.studies import STUDIES, find_study
from karikomi.studies.comparison import compare
from karikomi.studies.comparisons import every_comparison
from karikomi.studies.result import Result
from karikomi.studies.run import run
from karikomi.studies.show import Answer
from karikomi.studies.written import named_tables

COMMON = {"network": "mlp-12-8", "replicates": 2, "iterations": 40, "batch": 20, "validation": 200}
COMMON |= {"validate_every": 20}
LESIONED = {"criteria": ("in-strength", "taylor"), "scoring": 150, "learning_rate": 0.01}
RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "lottery": ("lottery", {"rounds": 3, "rate": 0.5, "arms": ("dense", "ticket", "reinit", "constant", "supermask")}),
    "variants": ("lottery", {"rounds": 2, "rate": 0.5, "criteria": ("magnitude", "random"), "rewind": (0, "lr")}),
    "grow": ("grow", {"densities": (0.3, 0.1), "every": 10, "ticket_rate": 0.5, "observations": 4}),
    "lesion": ("lesion", {**LESIONED, "orders": 3, "timing": ("static", "adaptive"), "null": ("shuffled",)}),
    "importance": ("importance", {**LESIONED, "shapley": 3, "pairs": 4, "null": ("untrained",)}),
    "ageing": (
        "ageing",
        {"deaths": 2, "cycles": 3, "retraining": 10, "scoring": 150, "learning_rate": 0.01}
        | {"arms": ("none", "retrain", "sham", "homeostasis", "regrowth", "scratch")},
    ),
    "regions": (
        "ageing",
        {"network": "modular-3-5-7-4", "patterns": ("regional", "scattered"), "regions": (0, 1), "deaths": 2}
        | {"cycles": 2, "retraining": 10, "scoring": 150},
    ),
    "stability": ("stability", {"after": (0, 20), "rounds": 1, "rate": 0.5}),
    "architectures": (
        "architectures",
        {"parameters": (3000, 6000), "layers": (1, 2), "dropouts": (0.0, 0.5), "normalizations": ("none", "batch")}
        | {"orders": 2, "cycles": 2, "retraining": 10},
    ),
    "networks": ("architectures", {"networks": ("mlp-12", "mlp-8-8"), "orders": 2, "cycles": 2, "retraining": 10}),
}
NUMBER = r"\d[\d,.]*\d|\d"
WORD = r"[a-z][a-z0-9]+"
"""Of two letters at least: one is a symbol."""


@pytest.fixture(scope="module")
def results(tiny, tmp_path_factory) -> dict[str, Result]:
    top, found = tmp_path_factory.mktemp("japanese"), {}
    # Images take longer than all the rest.
    with mock.patch("karikomi.figures.save.save"):
        for name, (which, own) in RUNS.items():
            study = find_study(which)
            given = {key: value for key, value in COMMON.items() if key in study.settings.model_fields}
            settings = study.settings.of(data=tiny, **{**given, **own})
            found[name] = run(study, settings, out=top / name, quiet=True, language="ja")
    return found


@pytest.fixture(scope="module")
def names(tiny, results) -> set[str]:
    """Words that may stand in Latin letters: those of the catalog, and the names of registries, settings and values."""
    known = [*STUDIES, *NETWORKS, *LINK_CRITERIA, *UNIT_CRITERIA, tiny, "mlp", "fc1", "fc2", "fc3", "output"]
    for study in map(find_study, STUDIES):
        for name, field in study.settings.model_fields.items():
            known += [name, str(field.annotation), str(field.default)]
    for result in results.values():
        known += [str(result.folder.settings), *result.study.by_replicate(result.tables)]
    known += [*catalog("ja").values(), *catalog("ja", CELLS).values()]
    return words_of(re.sub(r"{\w+}", "", " ".join(known)))


def words_of(text: str) -> set[str]:
    return set(re.findall(WORD, text.lower()))


def texts(answer: Answer) -> Iterator[str]:
    yield from (answer.headline, answer.explanation)
    for table in (*answer.tables, *answer.details):
        yield from (table.title, *table.columns)


def cells(answer: Answer) -> Iterator[tuple[str, str]]:
    for table in (*answer.tables, *answer.details):
        yield from ((str(cell), table.title) for row in table.rows for cell in row)


def assert_said(english: str, japanese: str, names: set[str]) -> None:
    assert Counter(re.findall(NUMBER, japanese)) == Counter(re.findall(NUMBER, english))
    assert words_of(japanese) - names == set(), english


@pytest.mark.parametrize("name", RUNS)
def test_every_text_of_a_summary_is_said_with_its_numbers(results, names, name):
    english = replace(results[name], language="en").summary()
    for text in texts(english):
        assert [sentence for sentence, said in parts(text, "ja") if said is None] == []
        assert_said(text, translate(text, "ja"), names)
    for cell, title in cells(english):
        assert_said(cell, translate_cell(cell, "ja", title), names)


@pytest.mark.parametrize("name", RUNS)
def test_a_summary_is_printed_in_japanese_with_the_same_statistics(results, names, name):
    ours, english = results[name].summary(), replace(results[name], language="en").summary()
    assert_said("\n".join(texts(english)), "\n".join(texts(ours)), names)
    assert str(ours) != str(english)
    for field, value in vars(ours).items():
        if field not in ("headline", "explanation", "tables", "details") and hasattr(value, "equals"):
            assert value.equals(getattr(english, field))


@pytest.mark.parametrize("name", RUNS)
def test_every_text_of_a_page_is_said_with_its_numbers(results, names, name):
    asked: dict[str, str] = {}

    def recorded(text: str, language) -> str:
        asked[text] = translate(text, language)
        return asked[text]

    with (
        mock.patch("karikomi.figures.save.save"),
        mock.patch.object(build, "translate", recorded),
        mock.patch.object(translated, "translate", recorded),
        mock.patch.object(words, "translate", recorded),
    ):
        results[name].draw()
    assert asked
    for text, said in asked.items():
        assert_said(text, said, names)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here to open the page with")
@pytest.mark.parametrize("name", RUNS)
def test_no_english_is_left_on_a_page(results, names, name, tmp_path):
    with Browser(tmp_path, 1300) as browser:
        browser.open(results[name].page.as_uri())
        browser.wait("[...document.querySelectorAll('.card')].every(card => card.textContent)")
        assert browser.value("document.documentElement.lang") == "ja"
        browser.value("document.querySelectorAll('.record details, code').forEach(each => each.remove())")
        shown = browser.value("document.body.innerText")
        drawn = browser.value("[...document.querySelectorAll('svg text')].map(each => each.textContent).join(' ')")
    assert words_of(f"{shown} {drawn}") - names == set()


@pytest.mark.parametrize("name", RUNS)
def test_a_comparison_is_said_in_japanese(results, names, name):
    ours = results[name]
    settings = {**ours.folder.settings, "seed": 1, "replicates": 3}
    other: Any = SimpleNamespace(
        study=ours.study, tables=ours.tables, folder=SimpleNamespace(settings=settings, path=ours.folder.path)
    )
    english, japanese = compare(ours, other), compare(ours, other, "ja")
    for text in texts(english):
        assert [sentence for sentence, said in parts(text, "ja") if said is None] == []
    for before, after in zip(texts(english), texts(japanese), strict=True):
        assert_said(before, after, names | {name})


COMPARE = [name for name, (study, _) in RUNS.items() if find_study(study).comparisons]


@pytest.mark.parametrize("name", COMPARE)
def test_a_plan_is_said_in_japanese(results, names, name):
    for measure in every_comparison(results[name])["measure"].unique():
        english = plan(results[name], measure=measure)
        japanese = plan(results[name], measure=measure, language="ja")
        for before, after in zip(texts(english), texts(japanese), strict=True):
            assert [sentence for sentence, said in parts(before, "ja") if said is None] == []
            assert_said(before, after, names | {name})
        for (before, _), (after, _) in zip(cells(english), cells(japanese), strict=True):
            assert_said(before, after, names)
        pd.testing.assert_frame_equal(japanese.comparisons, english.comparisons)


@pytest.mark.parametrize("name", RUNS)
def test_tables_as_files_have_the_same_names_and_those_of_the_answer_are_in_japanese(results, names, name, tmp_path):
    english, ours = named_tables(replace(results[name], language="en")), named_tables(results[name])
    assert list(ours) == list(english)
    for which, entry in ours.items():
        assert all(said is not None for _, said in parts(entry.meaning, "ja"))
        content = entry.function()
        if isinstance(content, pd.DataFrame):
            pd.testing.assert_frame_equal(content, english[which].function())
        else:
            results[name].save_table(which, tmp_path / "table.md")
            assert words_of((tmp_path / "table.md").read_text()) - names == set()


@pytest.mark.skipif(not has_font("ja"), reason="no font with Japanese letters here; Debian: fonts-ipaexfont-gothic")
@pytest.mark.parametrize("name", RUNS)
def test_no_english_is_left_in_figures_as_files(results, names, name, tmp_path):
    for which in results[name].figures:
        if replace(results[name], language="en").figure(which) is None:
            continue
        results[name].save_figure(which, tmp_path / "figure.svg")
        shown = re.findall(r"<text[^>]*>([^<]*)</text>", (tmp_path / "figure.svg").read_text())
        assert words_of(unescape(" ".join(shown))) - names == set(), which


@pytest.mark.parametrize("name", ["lottery", "lesion"])
def test_a_figure_in_a_notebook_is_in_japanese_with_the_same_numbers(results, names, name):
    for which in results[name].figures:
        english, ours = (each.figure(which) for each in (replace(results[name], language="en"), results[name]))
        if english is None:
            assert ours is None
            continue
        before, after = english.to_dict(), ours.to_dict()
        assert type(ours) is type(english)
        assert numbers(after["datasets"]) == numbers(before["datasets"])
        assert words_of(" ".join(titles(after))) - names == set()


def numbers(datasets: dict[str, list[dict]]) -> list[float]:
    return [
        cell for rows in datasets.values() for row in rows for cell in row.values() if isinstance(cell, float | int)
    ]


def titles(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        yield from (each for key, each in part.items() if key == "title" and isinstance(each, str))
    for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from titles(each)


@pytest.mark.parametrize("there", [True, False])
def test_images_beside_a_page_are_in_japanese_where_there_is_a_font(results, there):
    saved = []
    with (
        mock.patch("karikomi.figures.save.save", lambda chart, *_: saved.append(str(chart))),
        mock.patch.object(fonts, "has_font", return_value=there),
        mock.patch.object(images, "has_font", return_value=there),
    ):
        results["lottery"].draw()
    assert [("残った結合" in chart) for chart in saved[:1]] == [there]
    assert "再初期化" in results["lottery"].page.read_text()


def test_a_run_is_the_same_in_every_language(results):
    ours = results["lottery"]
    again = run(ours.study, ours.settings, out=ours.folder.path, quiet=True)
    assert again.folder.identity == ours.folder.identity
    assert again.summary().headline != ours.summary().headline
    assert karikomi.load(ours.folder.path, language="ja").summary().headline == ours.summary().headline


def test_a_language_that_there_is_not_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(InputError, match="unknown language 'jp'"):
        karikomi.lottery(preset="quick", language="jp", out=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
