"""The criteria by name. To add one: write it in a file here, and give it a line below.

A criterion for links takes :class:`Evidence` and gives every link a score, an array per weight; one for units takes
:class:`UnitEvidence` and gives every hidden unit a score, float64 ``[units]``. The lowest go first.
"""

from dataclasses import dataclass
from typing import Literal

from karikomi.errors import InputError
from karikomi.graphs import REFUSED
from karikomi.registry import Entry, Registry
from karikomi.removal.scores import activity, chance, effect, magnitude, sensitivity, size, wiring
from karikomi.removal.scores.evidence import Evidence as Evidence
from karikomi.removal.scores.evidence import Need as Need
from karikomi.removal.scores.evidence import UnitEvidence as UnitEvidence


@dataclass(frozen=True)
class LinkCriterion(Entry):
    """A criterion for links.

    Attributes:
        when: the weights that its paper scores: those at the ``end`` of training, or at its ``start``.
        prunings: how many its paper makes of a pruning before training; scores are taken anew before each.
    """

    when: Literal["start", "end"] = "end"
    prunings: int = 1


_ZHOU = "Zhou et al. 2019"
LINK_CRITERIA = Registry(
    "criterion",
    {
        "magnitude": LinkCriterion(magnitude.magnitude, "|w| at the end of training", paper="Han et al. 2015"),
        "initial-magnitude": LinkCriterion(
            magnitude.initial_magnitude, "|w₀| before training", paper="Frankle & Carbin 2019, appendix F.4"
        ),
        "magnitude-increase": LinkCriterion(magnitude.magnitude_increase, "|w| − |w₀|", paper=_ZHOU),
        "movement": LinkCriterion(magnitude.movement, "|w − w₀|", paper=_ZHOU),
        "movement-first-order": LinkCriterion(
            magnitude.movement_first_order, "(w² − w₀²) / 2, −Σ w ∂L/∂w along gradient flow", paper="Sanh et al. 2020"
        ),
        "small-final": LinkCriterion(magnitude.small_final, "−|w|", paper=_ZHOU),
        "small-initial": LinkCriterion(magnitude.small_initial, "−|w₀|", paper=_ZHOU),
        "large-initial-large-final": LinkCriterion(
            magnitude.large_initial_large_final, "the lower of the ranks by |w₀| and |w|", paper=_ZHOU
        ),
        "small-initial-small-final": LinkCriterion(
            magnitude.small_initial_small_final, "the lower of the ranks by −|w₀| and −|w|", paper=_ZHOU
        ),
        "large-final-same-sign": LinkCriterion(
            magnitude.large_final_same_sign, "|w| where w has the sign of w₀, else 0", paper=_ZHOU
        ),
        "large-final-different-sign": LinkCriterion(
            magnitude.large_final_different_sign, "|w| where w has lost the sign of w₀, else 0", paper=_ZHOU
        ),
        "magnitude-increase-same-sign": LinkCriterion(
            magnitude.magnitude_increase_same_sign, "|w| − |w₀| where w has the sign of w₀, else 0", paper=_ZHOU
        ),
        "magnitude-increase-different-sign": LinkCriterion(
            magnitude.magnitude_increase_different_sign,
            "|w| − |w₀| where w has lost the sign of w₀, else 0",
            paper=_ZHOU,
        ),
        "taylor": LinkCriterion(
            sensitivity.taylor, "|w · ∂L/∂w| at the end of training", ("gradients",), paper="Molchanov et al. 2017"
        ),
        "snip": LinkCriterion(
            sensitivity.taylor, "|w · ∂L/∂w| before training", ("gradients",), paper="Lee et al. 2019", when="start"
        ),
        "grasp": LinkCriterion(
            sensitivity.grasp,
            "w · (H ∂L/∂w) before training, H the Hessian",
            ("hessian_gradient",),
            paper="Wang et al. 2020",
            when="start",
        ),
        "synflow": LinkCriterion(
            sensitivity.synflow,
            "|w| · ∂R/∂|w| before training, R the output for ones with |w|",
            ("flow",),
            paper="Tanaka et al. 2020",
            when="start",
            prunings=100,
        ),
        "obd-fisher": LinkCriterion(
            sensitivity.obd_fisher,
            "½ h w², h the empirical Fisher for the Hessian's diagonal",
            ("squared_gradients",),
            paper="LeCun et al. 1990; Theis et al. 2018",
        ),
        "wanda": LinkCriterion(
            sensitivity.wanda, "|w| · ‖x‖₂ of what the weight multiplies", ("input_norms",), paper="Sun et al. 2024"
        ),
        "random": LinkCriterion(chance.random, "a uniform draw"),
    },
)

LINKS_SAME_AS = {
    "large-final": "magnitude",
    "large-initial": "initial-magnitude",
    "same-sign": "large-final-same-sign",
    "obd": "obd-fisher",
}
"""Other names of criteria for links."""


def link_criterion(name: str) -> str:
    """The name in the registry of the criterion for links called ``name``.

    Raises:
        InputError: if there is none, offering the nearest name.

    >>> link_criterion("large-initial")
    'initial-magnitude'
    """
    own = LINKS_SAME_AS.get(name, name)
    LINK_CRITERIA.find(own)
    return own


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
