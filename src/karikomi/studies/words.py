"""Numbers and lists in words, as all answers write them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from karikomi.errors import InputError
from karikomi.statistics.intervals import ALPHA


def plus_minus(found: Mapping[str, float], factor: float = 1, digits: int = 2, sign: str = "") -> str:
    """A mean with half of its interval, both times ``factor``; without an interval the mean alone, without it a dash.

    >>> plus_minus({"mean": 0.9812, "low": 0.9802, "high": 0.9822}, factor=100)
    '98.12 ± 0.10'
    """
    if np.isnan(found["mean"]):
        return "–"
    half = factor * (found["high"] - found["low"]) / 2
    return f"{factor * found['mean']:{sign}.{digits}f}" + ("" if np.isnan(half) else f" ± {half:.{digits}f}")


def number(value: float, digits: int = 2) -> str:
    """A number, or a dash for none."""
    return "–" if np.isnan(value) else f"{value:.{digits}f}"


def p_value(p: float, uncorrected: float = math.nan) -> str:
    """A p-value, or a dash for none; beside it the uncorrected one where that alone would show something.

    >>> p_value(0.00004), p_value(0.04), p_value(float("nan")), p_value(0.06, 0.03)
    ('< 0.001', '0.040', '–', '0.060 (uncorrected 0.030)')
    """
    shown = f" (uncorrected {uncorrected:.3f})" if uncorrected < ALPHA <= p else ""
    return "–" if np.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}{shown}"


def p_holm(found: Mapping[str, float]) -> str:
    """The corrected p-value of a difference, as :func:`p_value` writes it."""
    return p_value(found["p_holm"], found["p"])


def listed(words: Sequence[str], last: str = " and ") -> str:
    """
    >>> listed(["a", "b", "c"]), listed(["a"])
    ('a, b and c', 'a')
    """
    return ", ".join(words[:-1]) + last + words[-1] if len(words) > 1 else words[0]


def few(words: Sequence[str], most: int = 3) -> str:
    """The first of many words, and how many more there are, for a headline.

    >>> few(["a", "b", "c"]), few(["a", "b", "c", "d"])
    ('a, b and c', 'a, b and 2 more')
    """
    return listed(words if len(words) <= most else [*words[: most - 1], f"{len(words) - most + 1} more"])


def worded(value: Any) -> str:
    """The value of a setting as on the command line.

    >>> worded((0.5, 2)), worded(None), worded(0.1)
    ('0.5 2', 'none', '0.1')
    """
    if isinstance(value, list | tuple):
        return " ".join(map(worded, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else "none" if value is None else str(value)


def left_out_in_words(reasons: Mapping[str, str]) -> str:
    """The criteria of the defaults that are left out, those of one reason together.

    >>> left_out_in_words({"a": "a sees no x", "b": "no y", "c": "no y"})
    'Left out, as they mean nothing here: a (sees no x); b and c (no y).'
    """
    alike: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        alike.setdefault(reason.removeprefix(f"{name} "), []).append(name)
    return f"Left out, as they mean nothing here: {'; '.join(f'{listed(n)} ({why})' for why, n in alike.items())}."


HEADLINE_WORDS = 25
"""A headline has at most so many words."""


def headline(parts: Sequence[str]) -> str:
    """A sentence of the first parts, joined by semicolons, as many as a headline holds; at least the first.

    >>> headline(["accuracy falls without training", "it holds when retrained"])
    'Accuracy falls without training; it holds when retrained.'
    """
    kept = list(parts[:1])
    for part in parts[1:]:
        if len(" ".join([*kept, part]).split()) <= HEADLINE_WORDS:
            kept.append(part)
    sentence = "; ".join(kept)
    return sentence[:1].upper() + sentence[1:] + "."


def check_margin(margin: float) -> None:
    """Raise an InputError for a margin of accuracy that means nothing."""
    if not 0 <= margin < 1:
        raise InputError(f"margin must lie between 0 and 1 (0.002 is 0.2 points); it is {margin}")
