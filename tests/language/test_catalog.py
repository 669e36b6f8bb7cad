"""The catalogs of languages: no text lost, no number changed, no template in vain."""

import ast
import re
import string
import tomllib
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import karikomi
from karikomi.claims import SETS
from karikomi.claims.claim import read_claims
from karikomi.errors import InputError
from karikomi.language import LANGUAGES, check_language, parts, translate, translate_cell
from karikomi.language.catalog import CELLS, LIST, catalog, splits
from karikomi.language.catalog import NUMBER as NUMBERS
from karikomi.report.words import WORDS
from karikomi.studies import STUDIES, find_study

PACKAGE = Path(karikomi.__file__).parent
OTHERS = [language for language in LANGUAGES if language != "en"]
ENTRIES = [(language, *entry) for language in OTHERS for entry in catalog(language).items()]
CELL_ENTRIES = [(language, *entry) for language in OTHERS for entry in catalog(language, CELLS).items()]
NUMBER = r"\d[\d,.]*\d|\d"


def places(template: str) -> Counter[str]:
    return Counter(name for _, name, _, _ in string.Formatter().parse(template) if name is not None)


def literals(template: str) -> str:
    return " ".join(literal for literal, *_ in string.Formatter().parse(template))


def test_a_translation_has_the_places_and_the_numbers_of_its_template():
    for _, english, said in ENTRIES:
        assert places(said) == places(english)
        ours, original = (Counter(re.findall(NUMBER, literals(text))) for text in (said, english))
        assert ours == original, english


@pytest.mark.parametrize("language", OTHERS)
def test_no_template_stands_in_two_files(language):
    files = [file for file in (PACKAGE / "language" / language).glob("*.toml") if file.stem != CELLS]
    counts = Counter(key for file in files for key in tomllib.loads(file.read_text(encoding="utf-8")))
    assert [key for key, count in counts.items() if count > 1] == []


def test_every_template_is_of_words_that_the_package_says():
    texts = [text for file in PACKAGE.rglob("*.py") for text in strings(file)]
    files = [*(PACKAGE / "claims").glob("*.toml"), *(PACKAGE / "serving").glob("*.html")]
    texts += [file.read_text(encoding="utf-8") for file in files]
    known = set().union(*map(words_of, texts))
    for _, english, _ in ENTRIES + CELL_ENTRIES:
        assert words_of(literals(english)) - known == set()


def words_of(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", text.lower()))


def strings(file: Path) -> list[str]:
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


NAME = st.from_regex(r"[b-df-hj-np-tv-z]{4,9}[0-9]?", fullmatch=True)
VALUE = st.tuples(st.floats(-1e4, 1e4), st.floats(0, 10)).map(lambda pair: f"{pair[0]:+.2f} ± {pair[1]:.2f}")


@given(st.sampled_from([entry for entry in ENTRIES if places(entry[1])]), st.data())
def test_names_and_numbers_in_places_stay(entry, data):
    language, english, _ = entry
    kinds = {name: kind or "" for _, name, kind, _ in string.Formatter().parse(english) if name is not None}
    given = {name: data.draw({LIST: NAME, NUMBERS: VALUE}.get(kind, NAME | VALUE)) for name, kind in kinds.items()}
    text = string.Formatter().vformat(re.sub(r":\w+}", "}", english), (), given)
    assert all(said is not None for _, said in parts(text, language))
    said = translate(text, language)
    for value in given.values():
        assert value in said
    assert Counter(re.findall(NUMBER, said)) == Counter(re.findall(NUMBER, text))


@pytest.mark.parametrize(
    ("english", "japanese"),
    [
        (
            "Inconclusive: the highest a, b and c, highest adaptive d, and the lowest e.",
            "どちらとも示されない順序:a、b と c の高い順、d の高い順(adaptive)、e の低い順。",
        ),
        (
            "Retraining ends +1.00 points against the same training without deaths (higher) and -2.00 points against"
            " networks of its size trained from scratch for as many steps in all (not shown).",
            "再学習の終わりの差:死なない同じ学習に対して +1.00 ポイント(高い)、合計で同じステップ数だけ始めから学習した"
            "同じ大きさのネットワークに対して -2.00 ポイント(示されない)。",
        ),
        (
            "Accuracy at the end is lower in 3 of 10; accuracy over life is not shown to differ in any of 10 compared.",
            "10 件のうち、終わりの精度は3 件で低い;比べた 10 件のうち、生涯の精度は違うと示されたものがない。",
        ),
        (
            "Of 3 claims 1 holds, 1 does not hold and 1 is not decided at scale quick.",
            "3 件の主張のうち 1 件が成り立つ、1 件が成り立たない、1 件が規模 quick では決まらない。",
        ),
    ],
)
def test_sentences_of_many_parts(english, japanese):
    assert translate(english, "ja") == japanese


@given(st.lists(st.text("ab ", min_size=0, max_size=3), min_size=2, max_size=4), st.text("ab ", max_size=8))
def test_splits_are_all_ways_to_read_a_text(literals, text):
    expression = "(.+)".join(map(re.escape, literals))
    found = list(splits(literals, text))
    assert bool(found) == bool(re.fullmatch(expression, text))
    for places in found:
        assert "".join(f"{before}{place}" for before, place in zip(literals, [*places, ""], strict=True)) == text
    assert len({tuple(places) for places in found}) == len(found)


@pytest.mark.parametrize("language", OTHERS)
def test_unknown_sentences_stay_and_known_ones_beside_them_do_not(language):
    text = "Nobody has ever written this. Else: not shown. Nor that."
    said = translate(text, language)
    assert said.startswith("Nobody has ever written this. ")
    assert said.endswith("Nor that.")
    assert "Else" not in said


@pytest.mark.parametrize("language", OTHERS)
def test_names_in_tables_stay_and_verdicts_do_not(language):
    assert translate_cell("ticket", language) == "ticket"
    assert translate_cell("lost", language) != "lost"
    assert translate_cell("holds", language, "Accuracy, %") != translate_cell("holds", language)


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("text", WORDS.values())
def test_all_texts_of_the_page_have_a_template(language, text):
    assert missing(text, language) == []


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("study", STUDIES)
def test_all_captions_and_measures_have_a_template(language, study):
    found = find_study(study)
    for caption in (entry.meaning for entry in found.figures.values()):
        assert missing(caption, language) == []
    for measure in found.compared.values():
        assert missing(measure.title, language) == missing(f"{measure.title}, {measure.unit}", language) == []


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("name", SETS)
def test_all_claims_have_a_template(language, name):
    _, claims = read_claims(name)
    assert missing(claims.title, language) == []
    for claim in claims.claims.values():
        unit = f" {claim.unit}".rstrip()
        for text in (claim.claim, claim.place, claim.margin, f"{claim.theirs}{unit}", str(claim.holds)):
            assert missing(text, language) == []


def missing(text: str, language) -> list[str]:
    return [sentence for sentence, said in parts(text, language) if said is None]


def test_a_language_that_there_is_not_is_refused():
    with pytest.raises(InputError, match="jp"):
        check_language("jp")
