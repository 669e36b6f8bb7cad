"""Tables in LaTeX and Markdown, read again by a small reader of each."""

import re

from hypothesis import given
from hypothesis import strategies as st

from karikomi.report.typeset import LOWERED, Sheet, latex, markdown

TEXT = st.text(st.sampled_from("aZ 09&%$#_{}\\~^|<>*`[]-+.±−–√ρ⁻³²é日"), max_size=12)
NUMBERS = ["98.11 ± 0.06", "-0.3 ± 1,200", "+4.5", "–", "< 0.001", "12 %", ""]


@st.composite
def sheets(draw):
    many = draw(st.integers(1, 4))
    columns = draw(st.lists(TEXT, min_size=many, max_size=many))
    cells = [st.sampled_from(NUMBERS) if draw(st.booleans()) else TEXT for _ in range(many)]
    return Sheet(draw(TEXT), columns, draw(st.lists(st.tuples(*cells), max_size=4)))


def plain(text: str) -> str:
    """What is read of a cell, by its letters and figures alone."""
    return re.sub(r"[^\w]|_", "", text.translate(LOWERED))


def read_latex(cell: str) -> str:
    named = re.sub(r"\\(?:text\w+|ldots)\{\}|\\(pm|times|le|ge|approx|surd|infty|to)\b", "", cell)
    return plain(named.replace(r"$\rho$", "ρ").replace("\\", ""))


@given(sheets())
def test_latex_has_the_cells_in_rows_and_no_sign_that_latex_would_take(sheet):
    lines = latex(sheet).splitlines()
    form = re.fullmatch(r"\\begin\{tabular\}\{([lr@{}\\,]+)\}", lines[2])
    assert form
    many = len(re.sub(r"@\{\\,\}", "", form[1]))
    assert lines[3].strip() == r"\toprule"
    assert [line.strip() for line in lines[-2:]] == [r"\bottomrule", r"\end{tabular}"]
    rows = [line for line in lines[4:-2] if line.strip() != r"\midrule"]
    assert len(rows) == 1 + len(sheet.rows)
    for line, cells in zip(rows[1:], sheet.rows, strict=True):
        assert line.endswith(r" \\")
        found = re.split(r"(?<!\\)&", line[: -len(r" \\")])
        assert len(found) == many
        assert plain("".join(cells)) == "".join(map(read_latex, found))
        bare = re.sub(r"\\[&%$#_{}]|\$[^$]*\$|\\[a-z]+\{\}", "", line[:-3])
        assert not re.search(r"[%$#_{}^~\\]|[<>|±√ρ]", bare)


@given(sheets())
def test_markdown_has_as_many_cells_in_every_row(sheet):
    _, _, *lines = markdown(sheet).splitlines()
    assert len(lines) == 2 + len(sheet.rows)
    for line in lines:
        assert len(re.split(r"(?<!\\)(?:\\\\)*\|", line)) == len(sheet.columns) + 2
    for line, cells in zip([lines[0], *lines[2:]], [sheet.columns, *sheet.rows], strict=True):
        assert plain(line) == plain("".join(cells))


def test_means_are_aligned_at_their_intervals():
    sheet = Sheet(
        "Ticket minus dense (50 %)", ("links_left", "accuracy, %"), [("51.2 %", "98.11 ± 0.06"), ("8 %", "–")]
    )
    assert latex(sheet).splitlines() == [
        "% Ticket minus dense (50 %)",
        r"% \usepackage{booktabs}",
        r"\begin{tabular}{rr@{\,}l}",
        r"  \toprule",
        r"  links\_left & \multicolumn{2}{c}{accuracy, \%} \\",
        r"  \midrule",
        r"  51.2 \% & 98.11 & $\pm$ 0.06 \\",
        r"  8 \% & -- & \\",
        r"  \bottomrule",
        r"\end{tabular}",
    ]
    assert markdown(sheet).splitlines()[2:] == [
        r"| links\_left |  accuracy, % |",
        "| ----------: | -----------: |",
        "|      51.2 % | 98.11 ± 0.06 |",
        "|         8 % |            – |",
    ]


def test_signs_of_numbers_are_those_of_mathematics():
    sheet = Sheet("", ("a", "b"), [("-0.3 ± 1.2", "-12"), ("+0.1 ± 0.2", "+3"), ("–", "10⁻³")])
    assert r"  $-$0.3 & $\pm$ 1.2 & $-$12 \\" in latex(sheet)
    assert r"  -- & & 10$^{-3}$ \\" in latex(sheet)
