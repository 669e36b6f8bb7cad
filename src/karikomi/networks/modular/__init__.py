"""A multilayer perceptron built in groups: information enters one of them and leaves from another."""

from karikomi.networks.modular.layout import Layout, lay_out
from karikomi.networks.modular.settings import Control, Modular
from karikomi.networks.modular.wiring import wire

__all__ = ["Control", "Layout", "Modular", "lay_out", "wire"]
