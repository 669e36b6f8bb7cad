"""What publications report, to set beside a run that repeats their protocol.

The numbers are those of their claims, which ``karikomi reproduce`` puts to the test.
"""

from typing import Literal, NamedTuple

from karikomi.claims import theirs

TMTK = "tmtk"
"""Author of ニューラルネットワークにおける「宝くじ仮説(Lottery Ticket Hypothesis)」, the blog post that repeats the
lottery ticket paper (Frankle & Carbin 2019) with LeNet-300-100 on MNIST."""

SHIN_MIZ = "Shin_Miz"
"""The author of neuro-age-task, a blog post that removes and retrains neurons of a perceptron on MNIST, with notebooks:
https://qiita.com/Shin_Miz/items/d9f72bc290df0ba13416."""


class Condition(NamedTuple):
    """A row that a publication reports of a lottery: early stop (iterations) and test accuracy (%), as printed."""

    name: str
    arm: str
    early_stop: str
    accuracy: str


LOTTERY_CONDITIONS = tuple(
    Condition(name, arm, theirs("post", f"{arm}-early-stop"), theirs("post", f"{arm}-accuracy"))
    for arm, name in {"dense": "dense network", "ticket": "ticket", "reinit": "ticket, re-initialized"}.items()
)
"""tmtk, one trial each, after ten rounds at 20 %."""

PARAMETER_SHARE = 200_000 / 269_322
"""The share of the parameters of 784-256-256-10 at which Shin_Miz stopped to remove units."""


class OrderClaim(NamedTuple):
    """Accuracy (%) with ``PARAMETER_SHARE`` left, units going by a criterion: worse than random, or unchanged."""

    criterion: str
    direction: Literal["low", "high"]
    says: Literal["worse", "stays"]
    accuracy: str


LESION_CLAIMS = (
    OrderClaim("in-strength", "high", "worse", theirs("notebooks", "high-in-strength")),
    OrderClaim("in-strength", "low", "stays", theirs("notebooks", "low-in-strength")),
    OrderClaim("preactivation-mean", "low", "worse", theirs("notebooks", "low-preactivation")),
)
"""Shin_Miz, one network."""


class RangeClaim(NamedTuple):
    """A measure of an ageing arm lies between ``low`` and ``high``."""

    arm: str
    measure: str
    text: str
    low: float
    high: float


LOWEST, HIGHEST, WITHOUT = (
    theirs("notebooks", claim) for claim in ("retrained-lowest", "retrained-highest", "not-retrained")
)
RANDOM_LOW, RANDOM_HIGH = theirs("notebooks", "random-removal").split("–")
AGEING_CLAIMS = (
    RangeClaim("retrain", "lowest", f"retrained, never below {LOWEST} %", float(LOWEST) / 100, 1.0),
    RangeClaim("retrain", "highest", f"retrained, never above {HIGHEST} %", 0.0, float(HIGHEST) / 100),
    RangeClaim(
        "none", "final", f"without training down to {WITHOUT} %", float(RANDOM_LOW) / 100, float(RANDOM_HIGH) / 100
    ),
)
"""Shin_Miz, one run."""

NOTEBOOK_SHAPES = {
    network: theirs("notebooks", network)
    for network in ("mlp-256", "mlp-128-128", "mlp-64-64-64", "mlp-32-32-32-32-32", f"mlp{10 * '-16'}")
}
"""Test accuracy (%) of hidden layers after five epochs, in Shin_Miz's notebooks: one network each."""

LENET_STABLE = "published: LeNet on MNIST is stable from iteration 0, ResNet-20 on CIFAR-10 from 2,000"
"""Frankle et al. 2020."""
