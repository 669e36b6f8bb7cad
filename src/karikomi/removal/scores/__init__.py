"""The criteria by name. To add one: write it in a file here, and give it a line below.

A criterion for links takes :class:`Evidence` and gives every link a score, an array per weight; one for units takes
:class:`UnitEvidence` and gives every hidden unit a score, float64 ``[units]``. The lowest go first.
"""

from karikomi.errors import InputError
from karikomi.graphs import REFUSED
from karikomi.registry import Entry, Registry
from karikomi.removal.scores import activity, chance, effect, magnitude, size, wiring
from karikomi.removal.scores.evidence import Evidence, Need, UnitEvidence

LINK_CRITERIA = Registry(
    "criterion",
    {
        "magnitude": Entry(magnitude.magnitude, "|w| at the end of training", paper="Han et al. 2015"),
        "initial-magnitude": Entry(
            magnitude.initial_magnitude, "|w| before training", paper="Frankle & Carbin 2019, appendix F.4"
        ),
        "magnitude-increase": Entry(
            magnitude.magnitude_increase, "|w| at the end of training minus |w| before it", paper="Zhou et al. 2019"
        ),
        "taylor": Entry(
            magnitude.taylor, "|w · ∂L/∂w| at the end of training", ("gradients",), paper="Molchanov et al. 2017"
        ),
        "random": Entry(chance.random, "a uniform draw"),
    },
)

_SEEN = ("activations",)
UNIT_CRITERIA = Registry(
    "criterion",
    {
        **wiring.CRITERIA,
        "in-l2": Entry(size.in_l2, "√Σ w² of the weights into the unit"),
        "out-l2": Entry(size.out_l2, "√Σ w² of the weights out of the unit"),
        "activation-mean": Entry(activity.activation_mean, "mean activation", _SEEN),
        "activation-sd": Entry(activity.activation_sd, "standard deviation of the activation", _SEEN),
        "firing-rate": Entry(activity.firing_rate, "share of examples with activation above 0", _SEEN),
        "activation-entropy": Entry(
            activity.activation_entropy,
            "entropy of the activation in 32 bins over its own range, bits",
            _SEEN,
            paper="Luo & Wu 2017",
        ),
        "class-selectivity": Entry(
            activity.class_selectivity,
            "(μ_max − μ_rest) / (μ_max + μ_rest) of mean activation by class",
            _SEEN,
            paper="Morcos et al. 2018",
        ),
        "preactivation-mean": Entry(activity.preactivation_mean, "mean preactivation", _SEEN),
        "taylor": Entry(
            effect.taylor,
            "mean |activation · gradient of the loss by it|",
            ("attributions",),
            paper="Molchanov et al. 2017",
        ),
        "knock-out": Entry(effect.knock_out, "rise in loss when the unit alone is removed", ("knock_out",)),
        "shapley": Entry(
            effect.shapley, "mean gain when the unit joins others in random orders", ("shapley",), paper="Shapley 1953"
        ),
        "random": Entry(chance.random_units, "a uniform draw"),
    },
)

SAME_AS = {"in-l1": "in-strength", "out-l1": "out-strength"}
"""Names that others use for a criterion for units."""


def unit_criterion(name: str) -> Entry:
    """The criterion for units called ``name``.

    Raises:
        InputError: if there is none, offering the nearest name; or if it is a measure that means nothing for the units
            of a layered network, with the reason.
    """
    if name in REFUSED:
        raise InputError(f"{name} means nothing for the units of a layered network: {REFUSED[name]}")
    if name in SAME_AS:
        raise InputError(f"{name} is the same as {SAME_AS[name]}; did you mean {SAME_AS[name]!r}?")
    return UNIT_CRITERIA.find(name)


__all__ = ["LINK_CRITERIA", "SAME_AS", "UNIT_CRITERIA", "Evidence", "Need", "UnitEvidence", "unit_criterion"]
