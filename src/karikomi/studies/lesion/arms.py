"""The arms of the lesion study."""

from typing import NamedTuple

from karikomi.studies.lesion.settings import LesionSettings

TARGETED, RANDOM, MATCHED = "targeted", "random", "layer-matched"
"""The kinds of order: by scores, of all units at random, and at random in each layer; and those of null networks."""


class Arm(NamedTuple):
    """What decides the order; empty for the random orders that serve all arms."""

    criterion: str = ""
    direction: str = ""
    timing: str = ""

    @property
    def is_targeted(self) -> bool:
        return bool(self.criterion)


def targeted_arms(settings: LesionSettings) -> list[Arm]:
    """The arms that scores decide."""
    s = settings
    return [
        Arm(criterion, direction, timing)
        for criterion in s.criteria
        for direction in s.directions
        for timing in s.timing
    ]


def controls_of(arm: Arm, settings: LesionSettings) -> dict[str, int]:
    """The kinds of order of an arm's task, and how many of each.

    With scope ``layer`` all targeted orders take the same layer at the same step, so that one set of layer-matched
    orders serves them all; else each has its own.
    """
    first = {TARGETED: 1, **dict.fromkeys(settings.null, 1)} if arm.is_targeted else {RANDOM: settings.orders}
    shares_controls = settings.scope == "layer"
    return first if arm.is_targeted == shares_controls else {**first, MATCHED: settings.orders}


def all_arms(settings: LesionSettings) -> list[Arm]:
    """The arms of a run, in the order of its tables: the random orders that serve all, then the targeted ones."""
    return [Arm(), *targeted_arms(settings)]
