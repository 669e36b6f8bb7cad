"""A table as LaTeX or Markdown."""

import re
from collections.abc import Sequence
from typing import NamedTuple

NUMBER = re.compile(r"[<≈]?\s*[+\-−]?\.?\d.*|[–—]")
"""A cell that is a number, perhaps with a bound, an interval or a unit, or the dash of none."""

PLUS_MINUS = "±"

LATEX = str.maketrans(
    {
        **{special: f"\\{special}" for special in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        '"': r"\textquotedbl{}",
        "\N{EN DASH}": "--",
        "—": "---",
        "…": r"\ldots{}",
        "’": "'",
        **{sign: f"${sign}$" for sign in "<>|"},
        **{
            sign: f"$\\{name}$"
            for sign, name in {
                **{"±": "pm", "×": "times", "≤": "le", "≥": "ge", "≈": "approx", "√": "surd", "∞": "infty", "→": "to"},
                **{"α": "alpha", "η": "eta", "μ": "mu", "ρ": "rho", "σ": "sigma", "τ": "tau", "χ": "chi"},
                **{"Δ": "Delta", "Σ": "Sigma"},
            }.items()
        },
        "−": "$-$",
    }
)
"""What text is in LaTeX, where it is not itself."""

RAISED = "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"
LOWERED = str.maketrans(RAISED, "-0123456789")


class Sheet(NamedTuple):
    """A table of finished words: a title, column names and rows of text."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def latex(sheet: Sheet) -> str:
    """A tabular of the package booktabs, to be input into a table; means and intervals are aligned at ±."""
    kinds = [_kind([row[place] for row in sheet.rows]) for place in range(len(sheet.columns))]
    form = {"text": "l", "number": "r", PLUS_MINUS: r"r@{\,}l"}
    heads = [
        rf"\multicolumn{{2}}{{c}}{{{_escaped(name)}}}" if kind == PLUS_MINUS else _escaped(name)
        for name, kind in zip(sheet.columns, kinds, strict=True)
    ]
    body = [" & ".join(_cell(*each) for each in zip(row, kinds, strict=True)) for row in sheet.rows]
    return "\n".join(
        [
            f"% {_one_line(sheet.title)}",
            r"% \usepackage{booktabs}",
            rf"\begin{{tabular}}{{{''.join(form[kind] for kind in kinds)}}}",
            r"  \toprule",
            rf"  {' & '.join(heads)} \\",
            r"  \midrule",
            *(rf"  {row} \\" for row in body),
            r"  \bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def markdown(sheet: Sheet) -> str:
    """A table of GitHub's Markdown under its title, its columns aligned in the text too."""
    right = [_kind(column) != "text" for column in zip(*sheet.rows, strict=True)] or [False] * len(sheet.columns)
    columns = list(zip(*([_shielded(cell) for cell in row] for row in (sheet.columns, *sheet.rows)), strict=True))
    widths = [max(3, *map(len, column)) for column in columns]
    lines = [
        [cell.rjust(width) if side else cell.ljust(width) for cell, side, width in zip(row, right, widths, strict=True)]
        for row in zip(*columns, strict=True)
    ]
    rule = ["-" * (width - 1) + ":" if side else "-" * width for side, width in zip(right, widths, strict=True)]
    table = [f"| {' | '.join(line)} |" for line in (lines[0], rule, *lines[1:])]
    return "\n".join([_shielded(sheet.title), "", *table, ""])


def _kind(column: Sequence[str]) -> str:
    if not column or not all(NUMBER.fullmatch(cell) or not cell for cell in column):
        return "text"
    return PLUS_MINUS if any(PLUS_MINUS in cell for cell in column) else "number"


def _cell(text: str, kind: str) -> str:
    if kind == "text":
        return _escaped(text)
    mean, sign, half = text.partition(PLUS_MINUS)
    number = re.sub(r"^([+-])(?=[\d.])", r"$\1$", _escaped(mean.strip()))
    if kind == "number":
        return number
    return rf"{number} & $\pm$ {_escaped(half.strip())}" if sign else f"{number} &"


def _escaped(text: str) -> str:
    raised = re.sub(f"[{RAISED}]+", lambda found: f"\0{found[0].translate(LOWERED)}\1", _one_line(text))
    return raised.translate(LATEX).replace("\0", "$^{").replace("\1", "}$")


def _shielded(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", _one_line(text))


def _one_line(text: str) -> str:
    return " ".join(text.split())
