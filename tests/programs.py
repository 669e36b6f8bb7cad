"""Networks that are programs: of convolutions, pooling, normalization and sums."""

import torch
from torch import Tensor, nn

from karikomi.networks import build


class Block(nn.Module):
    """A shortcut around two convolutions, one of them in groups, between normalizations."""

    def __init__(self, channels: int, units: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, units, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(units, units, 3, padding=1, groups=2, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(units), nn.BatchNorm2d(units, affine=False)
        self.shortcut = nn.Conv2d(channels, units, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        inner = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return (inner + self.shortcut(x)).relu()


class Residual(nn.Module):
    """A normalization behind a linear layer, too, and outputs that are a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.bn = nn.Conv2d(1, 4, 5, 2, 2, bias=False), nn.BatchNorm2d(4, momentum=0.3)
        self.blocks = nn.Sequential(Block(4, 4, 1), Block(4, 6, 2))
        self.hidden, self.norm = nn.Linear(294, 12, bias=False), nn.BatchNorm1d(12)
        self.output, self.beside = nn.Linear(12, 10), nn.Linear(6, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(torch.relu(self.bn(self.stem(x.unflatten(1, (1, -1))))))
        hidden = torch.tanh(self.norm(self.hidden(x.flatten(1))))
        return self.output(hidden) + self.beside(x.mean((2, 3)))


class Branches(nn.Module):
    """Signals with two readers, windows that overlap or are padded, kernels and strides of two sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.image, self.stem = nn.Unflatten(1, (1, -1)), nn.Conv2d(1, 4, (5, 3), (2, 1), (0, 2))
        self.left, self.right = nn.Conv2d(4, 6, 3, padding=1, dilation=2), nn.Conv2d(4, 6, 1, bias=False)
        self.hidden, self.beside, self.output = nn.Linear(126, 20), nn.Linear(20, 20), nn.Linear(20, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.stem(self.image(x)))
        left = nn.functional.max_pool2d(torch.relu(self.left(x)), 3, 2)
        right = nn.functional.avg_pool2d(torch.relu(self.right(x)), 6, 2)
        pooled = nn.functional.max_pool2d(torch.relu(left + right), 2, padding=1)
        hidden = torch.relu(self.hidden(pooled.flatten(1)))
        return self.output(hidden + self.beside(hidden))


class SideBySide(nn.Module):
    """Layers that read all before them (Huang et al. 2017), and linear layers of which one reads two."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.bn = nn.Conv2d(1, 4, 5, 2, 2, bias=False), nn.BatchNorm2d(4)
        self.one, self.beside = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 2, 1)
        self.two = nn.Conv2d(10, 4, 3, padding=1, bias=False)
        self.norm, self.left, self.right = nn.LayerNorm([14, 7, 7]), nn.Linear(686, 12), nn.Linear(686, 8)
        self.late, self.output = nn.LayerNorm(20), nn.Linear(20, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.bn(self.stem(x.unsqueeze(1))))
        x = torch.cat([x, torch.relu(self.one(x)), self.beside(x)], 1)
        x = torch.cat([self.two(x).relu(), x], dim=1)
        x = self.norm(nn.functional.avg_pool2d(x, 2)).flatten(1)
        return self.output(self.late(torch.cat((torch.tanh(self.left(x)), self.right(x)), -1)))


class Bends(nn.Module):
    """Activations whose slope depends on what they are given."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.three = nn.Conv2d(1, 4, 5, 2, 2), nn.Conv2d(4, 6, 3, 2, 1), nn.Conv2d(6, 6, 3)
        self.hidden, self.output = nn.Linear(150, 20), nn.Linear(20, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.leaky_relu(self.one(x.unsqueeze(1)), 0.1)
        x = nn.functional.gelu(x + nn.functional.silu(x))
        x = nn.functional.gelu(self.three(nn.functional.silu(self.two(x))), approximate="tanh")
        return self.output(torch.sigmoid(self.hidden(x.flatten(1))))


def rows_of_pixels() -> nn.Sequential:
    """Images as 28 channels of 28 places."""
    return nn.Sequential(
        *(
            nn.Conv1d(28, 8, 5, 2, 2, bias=False),
            nn.BatchNorm1d(8),
            nn.ReLU(),
            nn.MaxPool1d(3, 2, 1),
            nn.Conv1d(8, 8, 3, groups=8),
        ),
        *(nn.Tanh(), nn.AvgPool1d(2), nn.Flatten(), nn.Linear(16, 10)),
    )


NETWORKS = {
    "conv-2-small": build("conv-2-small", (28, 28), 10),
    "lenet-5": build("lenet-5", (28, 28), 10),
    "residual": Residual(),
    "branches": Branches(),
    "pixels": rows_of_pixels(),
    "side by side": SideBySide(),
    "bends": Bends(),
    "mlp-gelu": build("mlp-20-20", (28, 28), 10, activation="gelu", normalization="layer"),
}
