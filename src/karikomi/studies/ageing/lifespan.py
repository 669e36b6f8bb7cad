"""How many cycles a life has."""

from collections.abc import Iterable

import numpy as np

from karikomi.errors import InputError
from karikomi.networks.subnetwork import Subnetwork
from karikomi.removal.deaths import death_counts
from karikomi.removal.remaining import remaining
from karikomi.studies.ageing.settings import AgeingSettings
from karikomi.studies.publications import PARAMETER_SHARE


def lifespan(settings: AgeingSettings, lives: Iterable[tuple[Subnetwork, np.ndarray | None]]) -> int:
    """The cycles that all lives have, so that they can be compared: as many as the longest of them.

    Args:
        settings: what ends a life; the first limit that is reached counts.
        lives: healthy networks, each with the order in which its units die, None where links do.

    Raises:
        InputError: if a limit is never reached, or already at the start.
    """
    s = settings
    limits = [] if s.cycles is None else [s.cycles]
    left = [_left(s, network, order) for network, order in lives]
    if s.units_left is not None:
        limits.append(max(_first(units, s.units_left, "units") for units, _ in left))
    if s.parameters_left is not None or not limits:
        ends = [s.parameters_left or round(PARAMETER_SHARE * parameters[0]) for _, parameters in left]
        limits.append(
            max(_first(parameters, end, "parameters") for (_, parameters), end in zip(left, ends, strict=True))
        )
    return min(limits)


def _left(s: AgeingSettings, network: Subnetwork, order: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Units and parameters left after 0, 1, … cycles, as long as there is anything to die."""
    units = network.architecture.units
    if order is None:
        dead = int(s.deaths) * np.arange(network.links // int(s.deaths) + 1)
        whole = remaining(network, np.empty(0, np.int64)).parameters[0]
        return np.full(len(dead), units), whole - dead
    dead = np.cumsum([0, *death_counts(units, s.deaths, len(order))])
    dead = dead[dead <= len(order)]
    return units - dead, remaining(network, order).parameters[dead]


def _first(left: np.ndarray, end: int, what: str) -> int:
    if left[0] <= end:
        raise InputError(f"the healthy network has {left[0]} {what}: {what}_left must be less, it is {end}")
    if left[-1] > end:
        raise InputError(f"with all deaths that there can be {left[-1]} {what} are left, not {end}; name the cycles")
    return int((left <= end).argmax())
