"""What publications claim, a TOML file each: protocol, measure, their number, and the threshold."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

SETS: Mapping[str, str] = {
    "post": "tmtk's replication of the lottery ticket paper",
    "notebooks": "Shin_Miz's neuro-age-task: neurons removed, retraining",
    "lottery-paper": "Frankle & Carbin 2019, LeNet-300-100",
    "sanity": "Su et al. 2020, Frankle et al. 2021: do masks made before training matter",
    "masks": "Zhou et al. 2019, what a ticket owes to signs, zeros and its mask",
    "growth": "Evci et al. 2020, RigL on LeNet-300-100",
}
"""The sets of claims by name, each with a line about it. What is in them: ``<name>.toml`` in this folder."""


def text_of(name: str) -> str:
    """The TOML text of a set that ships with the package."""
    return files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8")


def theirs(name: str, claim: str) -> str:
    """The number of a claim as its publication prints it.

    >>> theirs("post", "dense-accuracy")
    '97.9'
    """
    return _content(name)["claims"][claim]["theirs"]


@cache
def _content(name: str) -> dict[str, Any]:
    return tomllib.loads(text_of(name))
