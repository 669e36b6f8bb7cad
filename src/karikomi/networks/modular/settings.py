"""What is free in a modular network beside its groups and widths."""

from dataclasses import dataclass
from typing import Literal, get_args

from karikomi.errors import InputError, unknown

Control = Literal["none", "matched"]


@dataclass(frozen=True)
class Modular:
    """How the groups of a modular network are wired.

    Attributes:
        within: Probability of a link between two units of one group in neighbouring hidden layers, above 0 to 1.
        long_range: Probability of a link between units of two groups in neighbouring hidden layers, 0 to 1.
        reach: Distance at which that probability has fallen to 1/e, groups on a circle of diameter 1; none: the same
            at every distance.
        entry: Group that the inputs link to, from 0.
        exit: Group that the outputs are linked from; by default the one across from group 0.
        control: matched: as many links between any two layers, but at random places, whatever the groups.
    """

    within: float = 1.0
    long_range: float = 0.05
    reach: float | None = None
    entry: int = 0
    exit: int | None = None
    control: Control = "none"

    def __post_init__(self) -> None:
        if not 0 < self.within <= 1:
            raise InputError(f"within is a probability above 0, at most 1; it is {self.within}")
        if not 0 <= self.long_range <= 1:
            raise InputError(f"long_range is a probability, 0 to 1; it is {self.long_range}")
        if self.reach is not None and not self.reach > 0:
            raise InputError(f"reach is a distance above 0, or none; it is {self.reach}")
        if self.control not in get_args(Control):
            raise unknown("control", self.control, get_args(Control))

    def ends(self, groups: int) -> tuple[int, int]:
        """The entry group and the exit group of ``groups`` groups.

        >>> Modular().ends(5)
        (0, 2)

        Raises:
            InputError: if there is no such group, or nothing can cross from one to the other.
        """
        entry, leaving = self.entry, groups // 2 if self.exit is None else self.exit
        for name, group in (("entry", entry), ("exit", leaving)):
            if not 0 <= group < groups:
                raise InputError(f"{name} is group {group}; there are {groups}, numbered 0 to {groups - 1}")
        if self.long_range == 0 and entry != leaving:
            raise InputError(
                f"with long_range 0 nothing crosses from group {entry} to group {leaving};"
                " raise long_range, or let exit be the entry group"
            )
        return entry, leaving
