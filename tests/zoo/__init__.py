"""Models of many kinds, each with its own oracle; see :mod:`tests.zoo.oracle`."""

from collections.abc import Callable, Mapping

from tests.zoo.attention import EinsumAttention, Encoder, Mixer, SeparateProjections, SetTransformer, ViT
from tests.zoo.convolutions import (
    Branching,
    Causal,
    DenseNet,
    InPlace,
    MobileNet,
    Normalized,
    PreActivation,
    ResNet,
    Sequences,
    SqueezeExcite,
    Tutorial,
    UNet,
    Volumes,
)
from tests.zoo.oracle import Oracle, trained
from tests.zoo.others import (
    Bag,
    Cells,
    Einsums,
    Gated,
    GraphConvolutions,
    HeadFirst,
    OwnWeights,
    Patches,
    Repeated,
    TiedAutoencoder,
    TwoInputs,
)

ORACLES: Mapping[str, Callable[[], Oracle]] = {
    kind.__name__: kind
    for kind in (
        Branching, HeadFirst, Tutorial, ResNet, PreActivation, DenseNet, MobileNet, SqueezeExcite, UNet, ViT,
        SeparateProjections, EinsumAttention, Encoder, Mixer, Cells, Repeated, TiedAutoencoder, TwoInputs, Gated,
        Normalized, Sequences, Volumes, OwnWeights, InPlace, Patches, SetTransformer, GraphConvolutions, Einsums, Bag,
        Causal,
    )
} | {"a chain": lambda: Branching(False), "tokens first": lambda: Encoder(False)}  # fmt: skip

__all__ = ["ORACLES", "MobileNet", "Oracle", "ResNet", "trained"]
