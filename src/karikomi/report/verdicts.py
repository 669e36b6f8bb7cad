"""The words that are verdicts, and whether each is good news, bad news or none."""

VERDICTS = {
    "winning ticket": "won",
    "lost": "lost",
    "tells": "won",
    "reversed": "lost",
    "better than random": "won",
    "worse than random": "lost",
    "cliff": "lost",
    "holds": "won",
    "does not hold": "lost",
    "not shown": "open",
}
