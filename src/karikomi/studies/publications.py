"""What publications report, to set beside a run that repeats their protocol: one place for all of it."""

from typing import Literal, NamedTuple

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


LOTTERY_CONDITIONS = (
    Condition("dense network", "dense", "4300", "97.9"),
    Condition("ticket", "ticket", "3600", "98.2"),
    Condition("ticket, re-initialized", "reinit", "5000 or more", "97.4"),
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
    OrderClaim("in-strength", "high", "worse", "81"),
    OrderClaim("in-strength", "low", "stays", "97.5"),
    OrderClaim("preactivation-mean", "low", "worse", "81"),
)
"""Shin_Miz, one network."""


class RangeClaim(NamedTuple):
    """A measure of an ageing arm lies between ``low`` and ``high``."""

    arm: str
    measure: str
    text: str
    low: float
    high: float


AGEING_CLAIMS = (
    RangeClaim("retrain", "lowest", "retrained, never below 97.8 %", 0.978, 1.0),
    RangeClaim("retrain", "highest", "retrained, never above 98.3 %", 0.0, 0.983),
    RangeClaim("none", "final", "without training down to 96 %", 0.955, 0.967),
)
"""Shin_Miz, one run."""

NOTEBOOK_SHAPES = {
    "mlp-256": "97.94",
    "mlp-128-128": "97.73",
    "mlp-64-64-64": "96.73",
    "mlp-32-32-32-32-32": "95.70",
    f"mlp{10 * '-16'}": "91.52",
}
"""Test accuracy (%) of hidden layers after five epochs, in Shin_Miz's notebooks: one network each."""

LENET_STABLE = "published: LeNet on MNIST is stable from iteration 0, ResNet-20 on CIFAR-10 from 2,000"
"""Frankle et al. 2020."""
