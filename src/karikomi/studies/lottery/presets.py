"""Protocols to start from, by name: what they change of the settings' defaults."""

from collections.abc import Mapping
from typing import Any

_PAPER = {"output_rate": "half", "validation": 5_000, "replicates": 5, "reinits": 3}
_SMALL = {"iterations": 600, "rounds": 3, "validation": 2_000, "validate_every": 50, "replicates": 3}
_CIFAR = {**_PAPER, "data": "cifar-10", "rounds": 20}
_CONV = {
    layers: {"network": f"conv-{layers}", "output_rate": "half", "convolution_rate": rate}
    for layers, rate in ((2, 0.1), (4, 0.1), (6, 0.15))
}
# Linear Mode Connectivity and the Lottery Ticket Hypothesis (Frankle et al. 2020): late rewinding, global magnitude.
_RESNET = {
    "standardize": True,
    "initialization": "kaiming",
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "learning_rate_schedule": "step",
    "weight_decay": 1e-4,
    "scope": "global",
}

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "blog": {},
    "paper": {**_PAPER, "iterations": 50_000, "rounds": 18},
    "paper-conv-2": {**_CONV[2], **_CIFAR, "iterations": 20_000, "learning_rate": 2e-4},
    "paper-conv-4": {**_CONV[4], **_CIFAR, "iterations": 25_000, "learning_rate": 3e-4},
    "paper-conv-6": {**_CONV[6], **_CIFAR, "iterations": 30_000, "learning_rate": 3e-4},
    "paper-resnet-20": {
        **_RESNET,
        "data": "cifar-10",
        "network": "resnet-20",
        "epochs": 160,
        "batch": 128,
        "augment": ("shift", "flip"),
        "rewind": 2000,
        "rounds": 10,
        "validation": 5_000,
        "replicates": 3,
    },
    "paper-conv-2-small": {**_CONV[2], **_SMALL, "network": "conv-2-small"},
    "paper-conv-4-small": {**_CONV[4], **_SMALL, "network": "conv-4-small"},
    "paper-conv-6-small": {**_CONV[6], **_SMALL, "network": "conv-6-small"},
    "paper-resnet-20-small": {
        **_RESNET,
        **_SMALL,
        "network": "resnet-8",
        "augment": ("shift",),
        "rewind": 30,
    },
    "quick": {
        "network": "mlp-100-50",
        "iterations": 400,
        "rounds": 3,
        "rate": 0.5,
        "validation": 2_000,
        "validate_every": 50,
        "replicates": 3,
    },
}
