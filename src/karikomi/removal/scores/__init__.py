"""The criteria by name. To add one: write it in a file here, and give it a line below."""

from collections.abc import Mapping

from karikomi.errors import InputError, unknown
from karikomi.graphs import REFUSED
from karikomi.removal.scores import activity, chance, effect, magnitude, size, wiring
from karikomi.removal.scores.evidence import Criterion, Evidence, Need, UnitCriterion, UnitEvidence

LINK_CRITERIA: dict[str, Criterion] = {
    "magnitude": magnitude.magnitude,
    "initial-magnitude": magnitude.initial_magnitude,
    "magnitude-increase": magnitude.magnitude_increase,
    "random": chance.random,
}

UNIT_CRITERIA: Mapping[str, UnitCriterion] = {
    **wiring.CRITERIA,
    "in-l2": UnitCriterion(size.in_l2, "√Σ w² of the weights into the unit"),
    "out-l2": UnitCriterion(size.out_l2, "√Σ w² of the weights out of the unit"),
    "activation-mean": UnitCriterion(activity.activation_mean, "mean activation", ("activations",)),
    "activation-sd": UnitCriterion(activity.activation_sd, "standard deviation of the activation", ("activations",)),
    "firing-rate": UnitCriterion(activity.firing_rate, "share of examples with activation above 0", ("activations",)),
    "activation-entropy": UnitCriterion(
        activity.activation_entropy, "entropy of the activation in 32 bins over its own range, bits", ("activations",)
    ),
    "class-selectivity": UnitCriterion(
        activity.class_selectivity, "(μ_max − μ_rest) / (μ_max + μ_rest) of mean activation by class", ("activations",)
    ),
    "preactivation-mean": UnitCriterion(
        activity.preactivation_mean, "mean of what enters the non-linearity", ("activations",)
    ),
    "taylor": UnitCriterion(effect.taylor, "mean |activation · gradient of the loss by it|", ("attributions",)),
    "knock-out": UnitCriterion(effect.knock_out, "rise in loss when the unit alone is gone", ("knock_out",)),
    "shapley": UnitCriterion(effect.shapley, "mean gain when the unit joins others in random orders", ("shapley",)),
    "random": UnitCriterion(chance.random_units, "a uniform draw"),
}

SAME_AS = {"in-l1": "in-strength", "out-l1": "out-strength"}
"""Names that others use for a criterion for units."""


def link_criterion(name: str) -> Criterion:
    """The criterion called ``name``; an InputError offers the nearest name if there is none."""
    if name not in LINK_CRITERIA:
        raise unknown("criterion", name, LINK_CRITERIA)
    return LINK_CRITERIA[name]


def unit_criterion(name: str) -> UnitCriterion:
    """The criterion for units called ``name``.

    Raises:
        InputError: if there is none, offering the nearest name; or if it is a measure that means nothing for the units
            of a layered network, with the reason.
    """
    if name in REFUSED:
        raise InputError(f"{name} means nothing for the units of a layered network: {REFUSED[name]}")
    if name in SAME_AS:
        raise InputError(f"{name} is the same as {SAME_AS[name]}; did you mean {SAME_AS[name]!r}?")
    if name not in UNIT_CRITERIA:
        raise unknown("criterion", name, UNIT_CRITERIA)
    return UNIT_CRITERIA[name]


__all__ = [
    "LINK_CRITERIA",
    "SAME_AS",
    "UNIT_CRITERIA",
    "Criterion",
    "Evidence",
    "Need",
    "UnitCriterion",
    "UnitEvidence",
    "link_criterion",
    "unit_criterion",
]
