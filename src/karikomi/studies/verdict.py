"""A verdict: what is shown, in the words of the field, and whether it is good news."""

from typing import Literal, NamedTuple

Tone = Literal["good", "bad", "open"]
"""Good news, bad news, or neither; decides the colour of a verdict everywhere."""


class Verdict(NamedTuple):
    """What is shown, in a word or two, and its tone; a cell of a table."""

    text: str
    tone: Tone

    def __str__(self) -> str:
        return self.text


NOT_SHOWN = Verdict("not shown", "open")
"""The data decide neither way."""
