"""What publications claim, a TOML file each: protocol, measure, their number, and the threshold fixed in advance."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

SETS: Mapping[str, str] = {
    "post": "tmtk's replication of the lottery ticket paper: LeNet-300-100 on MNIST, one trial",
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
