"""A verdict: what is shown, in the words of the field, and whether it is good news."""

from collections.abc import Iterable, Mapping
from typing import Literal, Self

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


def by_text(verdicts: Iterable[Verdict]) -> Mapping[str, Verdict]:
    """The verdicts by their text, to give the words of a data frame their tone again."""
    return {str(verdict): verdict for verdict in (*verdicts, NOT_SHOWN)}
