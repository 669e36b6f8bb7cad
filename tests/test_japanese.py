"""Pages in Japanese say what the English ones say: the same numbers and code, and no English sentence."""

import io
import re
import tokenize
from collections import Counter

import pytest
from tests.documents import TOP, blocks

JAPANESE = {"README.ja.md": "README.md"} | {
    str(page.relative_to(TOP)): f"docs/{page.relative_to(TOP / 'docs/ja')}" for page in (TOP / "docs/ja").rglob("*.md")
}
NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
WORD = r"[A-Za-z][A-Za-z'’-]*"
# What makes a sentence of English words; names, commands and terms go without.
GRAMMAR = re.compile(
    r"(a|an|and|are|as|at|be|beside|by|can|does|each|for|from|has|have|how|in|into|is|it|its|no|not|of|on|one|or|so|than"
    r"|that|the|their|them|then|they|this|to|was|were|what|when|which|who|with|without|you|your)",
    re.IGNORECASE,
)


@pytest.fixture(params=JAPANESE.items(), ids=list(JAPANESE))
def pages(request) -> tuple[str, str]:
    """A page in Japanese and its original."""
    return request.param


def test_code_is_equal_but_for_comments(pages: tuple[str, str]) -> None:
    ours, original = (
        [(language, _without_comments(text, language)) for language, text in blocks(page)] for page in pages
    )
    assert ours == original


def test_numbers_are_equal(pages: tuple[str, str]) -> None:
    ours, original = (Counter(re.findall(r"\d[\d,.]*\d|\d", _in_digits(_prose(page)))) for page in pages)
    assert ours == original


def test_headings_figures_and_tables_are_as_many(pages: tuple[str, str]) -> None:
    shapes = [
        [(len(level), _prose(page).count(mark)) for level in re.findall(r"^(#+) ", _prose(page), re.MULTILINE)]
        for mark in ("\n|", "![", "<img", "\n- ")
        for page in pages
    ]
    assert shapes[::2] == shapes[1::2]


def test_links_lead_to_the_same_pages(pages: tuple[str, str]) -> None:
    ours, original = ([link for link in _links(page) if link not in (*JAPANESE, *JAPANESE.values())] for page in pages)
    assert sorted(ours) == sorted(original)


def test_no_english_sentence_is_left(pages: tuple[str, str]) -> None:
    assert english(_prose(pages[0]) + _comments(pages[0])) == []


def test_english_sentences_are_found_where_there_are_some(pages: tuple[str, str]) -> None:
    assert len(english(_prose(pages[1]) + _comments(pages[1]))) >= 10


def english(text: str) -> list[str]:
    """Passages of four and more English words with one of grammar among them."""
    passages = re.findall(rf"{WORD}(?:[ ,;:]+{WORD}){{3,}}", text)
    return [passage for passage in passages if any(map(GRAMMAR.fullmatch, re.findall(WORD, passage)))]


def _prose(page: str) -> str:
    """A page without code, commands, addresses and the names of files."""
    text = re.sub(r"^```.*?^```$", "", (TOP / page).read_text(), flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"(src|width)=\"[^\"]*\"", "", re.sub(r"`[^`]*`", "", text))
    return re.sub(r"\]\([^)]*\)", "]", text)


def _in_digits(english: str) -> str:
    """Numbers in words from two on as Japanese writes them."""
    for number, word in enumerate(NUMBERS, start=2):
        english = re.sub(rf"\b{word}\b(?!-)", str(number), english, flags=re.IGNORECASE)
    return english


def _links(page: str) -> list[str]:
    """What a page links to, from the top of the repository; a figure in Japanese is that of its name in English."""
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", (TOP / page).read_text())
    paths = [str(((TOP / page).parent / link).resolve().relative_to(TOP)) for link in links]
    return [path.replace("docs/ja/figures/", "docs/figures/") for path in paths]


def _without_comments(language: str, text: str) -> str:
    if language != "python":
        return "\n".join(re.sub(r"\s+#.*", "", line) for line in text.splitlines())
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return " ".join(token.string for token in tokens if token.type != tokenize.COMMENT)


def _comments(page: str) -> str:
    code = "\n".join(text for language, text in blocks(page) if language in ("python", "sh"))
    return "\n".join(re.findall(r"#(.*)", code))
