"""A multilayer perceptron built in groups: information enters one of them and leaves from another."""

from karikomi.networks.modular.controls import same_links, same_size
from karikomi.networks.modular.layout import Layout, lay_out, wiring_cost
from karikomi.networks.modular.settings import Control, Modular
from karikomi.networks.modular.wiring import wire

__all__ = ["Control", "Layout", "Modular", "lay_out", "same_links", "same_size", "wire", "wiring_cost"]
