"""Residual networks for small images (He et al. 2016)."""

from itertools import pairwise

from torch import Tensor, nn

from karikomi.networks.images import as_image


class Block(nn.Module):
    """Two convolutions beside a shortcut; where the shape changes, the shortcut is a 1 × 1 convolution (option B)."""

    def __init__(self, channels: int, units: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, units, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(units)
        self.conv2 = nn.Conv2d(units, units, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(units)
        self.shortcut = nn.Sequential()
        if (channels, 1) != (units, stride):
            self.shortcut = nn.Sequential(nn.Conv2d(channels, units, 1, stride, bias=False), nn.BatchNorm2d(units))

    def forward(self, x: Tensor) -> Tensor:
        inner = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (inner + self.shortcut(x)).relu()


class ResNet(nn.Module):
    """A convolution, three stages of 16, 32 and 64 channels with equally many blocks, a mean over places, a head."""

    def __init__(self, image: nn.Module, channels: int, blocks: int, classes: int) -> None:
        super().__init__()
        self.image = image
        self.conv, self.bn = nn.Conv2d(channels, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        widths = [16] * (blocks + 1) + [32] * blocks + [64] * blocks
        self.blocks = nn.Sequential(*(Block(before, units, units // before) for before, units in pairwise(widths)))
        self.output = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(self.conv(self.image(x))).relu()
        return self.output(self.blocks(x).mean((2, 3)))


def build(name: str, sample_shape: tuple[int, ...], classes: int) -> ResNet:
    """ResNet-20 of the paper's CIFAR-10 networks, or another one with 6 n + 2 layers, n blocks in each stage.

    The paper's shortcuts on CIFAR-10 add no parameters (option A); these are the 1 × 1 convolutions of its option B,
    as in the lottery ticket paper.
    """
    image, channels, *_ = as_image(name, sample_shape)
    return ResNet(image, channels, int(name.split("-")[1]) // 6, classes)
