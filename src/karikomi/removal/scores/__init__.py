"""The criteria by name. To add one: write it in a file here, and give it a line below."""

from karikomi.errors import unknown
from karikomi.removal.scores import chance, magnitude
from karikomi.removal.scores.evidence import Criterion, Evidence

LINK_CRITERIA: dict[str, Criterion] = {
    "magnitude": magnitude.magnitude,
    "initial-magnitude": magnitude.initial_magnitude,
    "magnitude-increase": magnitude.magnitude_increase,
    "random": chance.random,
}


def link_criterion(name: str) -> Criterion:
    """The criterion called ``name``; an InputError offers the nearest name if there is none."""
    if name not in LINK_CRITERIA:
        raise unknown("criterion", name, LINK_CRITERIA)
    return LINK_CRITERIA[name]


__all__ = ["LINK_CRITERIA", "Criterion", "Evidence", "link_criterion"]
