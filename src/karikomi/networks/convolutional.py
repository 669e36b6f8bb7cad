"""Convolutional networks whose layers follow one another."""

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from karikomi.networks.images import as_image
from karikomi.networks.mlp import mlp


def lenet_5(name: str, sample_shape: tuple[int, ...], classes: int) -> nn.Sequential:
    """LeNet-5 (LeCun et al. 1998) as it is commonly written: ReLU, max pooling, every channel reads all before it.

    Images get a border of 2, so that MNIST's are 32 × 32 as in the paper.
    """
    image, channels, height, width = as_image(name, sample_shape, 12)
    features = OrderedDict(
        image=image,
        conv1=nn.Conv2d(channels, 6, 5, padding=2),
        conv1_relu=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(6, 16, 5),
        conv2_relu=nn.ReLU(),
        pool2=nn.MaxPool2d(2),
    )
    return _with_head(features, (16, (height // 2 - 4) // 2, (width // 2 - 4) // 2), (120, 84), classes)


def conv(name: str, sample_shape: tuple[int, ...], classes: int) -> nn.Sequential:
    """Conv-2, Conv-4 and Conv-6 (Frankle & Carbin 2019): VGG's blocks of two, then 256 and 256 units.

    The small ones have an eighth of the channels and units.
    """
    depth, share = int(name.split("-")[1]), 8 if name.endswith("-small") else 1
    blocks = [[64 // share] * 2, [128 // share] * 2, [256 // share] * 2][: depth // 2]
    image, channels, height, width = as_image(name, sample_shape, 2 ** len(blocks))
    features = OrderedDict(image=image, **_blocks(channels, blocks))
    shape = blocks[-1][0], height >> len(blocks), width >> len(blocks)
    return _with_head(features, shape, (256 // share, 256 // share), classes)


def vgg_11_small(name: str, sample_shape: tuple[int, ...], classes: int) -> nn.Sequential:
    """VGG-11 (Simonyan & Zisserman 2015) with batch normalization and an eighth of its channels.

    As is usual for small images, a mean over all places and one linear layer take the place of the large head.
    """
    image, channels, *_ = as_image(name, sample_shape)
    blocks = ((8,), (16,), (32, 32), (64, 64), (64, 64))
    features = OrderedDict(image=image, **_blocks(channels, blocks, normalized=True), mean=nn.AdaptiveAvgPool2d(1))
    return _with_head(features, (64,), (), classes)


def _blocks(channels: int, blocks: Sequence[Sequence[int]], *, normalized: bool = False) -> dict[str, nn.Module]:
    """Blocks of 3 × 3 convolutions with these channels, each block with pooling behind it."""
    layers, number = dict[str, nn.Module](), 0
    for place, block in enumerate(blocks, start=1):
        for units in block:
            number += 1
            layers[f"conv{number}"] = nn.Conv2d(channels, units, 3, padding=1, bias=not normalized)
            if normalized:
                layers[f"bn{number}"] = nn.BatchNorm2d(units)
            layers[f"conv{number}_relu"] = nn.ReLU()
            channels = units
        # Normalized ones are deep: an odd last row is pooled too, so that small images are not used up.
        layers[f"pool{place}"] = nn.MaxPool2d(2, ceil_mode=normalized)
    return layers


def _with_head(
    features: OrderedDict[str, nn.Module], shape: tuple[int, ...], hidden: Sequence[int], classes: int
) -> nn.Sequential:
    return nn.Sequential(OrderedDict([*features.items(), *mlp(shape, hidden, classes).named_children()]))
