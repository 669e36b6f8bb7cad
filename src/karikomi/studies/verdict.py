"""A verdict: what is shown, in the words of the field, and whether it is good news."""

from collections.abc import Iterable, Mapping
from typing import Literal, Self

from karikomi.statistics import ALPHA

Tone = Literal["good", "bad", "open"]
"""Good news, bad news, or neither; decides the colour of a verdict everywhere."""


class Verdict(str):
    """What is shown, in a word or two, and its tone; text in every other respect, so that data frames stay plain.

    >>> lost = Verdict("lost", "bad")
    >>> lost == "lost", lost.tone
    (True, 'bad')
    """

    tone: Tone

    def __new__(cls, text: str, tone: Tone) -> Self:
        verdict = super().__new__(cls, text)
        verdict.tone = tone
        return verdict

    def __reduce__(self) -> tuple[type[Self], tuple[str, Tone]]:
        return type(self), (str(self), self.tone)


NOT_SHOWN = Verdict("not shown", "open")
"""The data decide neither way."""


def signed(difference: float, p: float, below: Verdict, above: Verdict) -> Verdict:
    """The verdict on a difference by its sign, if its corrected p shows one; a NaN shows nothing.

    >>> lower, higher = Verdict("lower", "bad"), Verdict("higher", "good")
    >>> [str(signed(d, p, lower, higher)) for d, p in ((-0.1, 0.01), (-0.1, 0.2), (0.1, 0.01), (0.1, float("nan")))]
    ['lower', 'not shown', 'higher', 'not shown']
    """
    if not p < ALPHA:
        return NOT_SHOWN
    return above if difference > 0 else below


def by_text(verdicts: Iterable[Verdict]) -> Mapping[str, Verdict]:
    """The verdicts by their text, to give the words of a data frame their tone again."""
    return {str(verdict): verdict for verdict in (*verdicts, NOT_SHOWN)}
