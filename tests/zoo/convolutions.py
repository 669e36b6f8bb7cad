"""Models of convolutions: chains, residual and dense ones, and ways to write them."""

import warnings

import torch
import torch.nn.functional as F
from tests.zoo.oracle import Change, Oracle, keep
from torch import Tensor, nn


class Branching(Oracle):
    """conv → batch norm → sigmoid → linear; with ``branch`` the same function, but no longer a chain."""

    inputs = ((1, 8, 8),)

    def __init__(self, branch: bool = True) -> None:
        super().__init__()
        self.branch = branch
        self.conv, self.bn, self.fc = nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.Linear(6 * 64, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        h = change("conv", torch.sigmoid(self.bn(self.conv(x))), 1)
        return self.fc((h + 0 * x.mean() if self.branch else h).flatten(1))


class Tutorial(Oracle):
    """The LeNet of PyTorch's pruning tutorial, smaller."""

    inputs = ((1, 28, 28),)

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 3, 3), nn.Conv2d(3, 4, 3)
        self.fc1, self.fc2, self.fc3 = nn.Linear(4 * 5 * 5, 12), nn.Linear(12, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        x = change("conv1", F.max_pool2d(F.relu(self.conv1(x)), 2), 1)
        x = change("conv2", F.max_pool2d(F.relu(self.conv2(x)), 2), 1)
        x = x.view(-1, int(x.nelement() / x.shape[0]))
        x = change("fc1", F.relu(self.fc1(x)))
        return self.fc3(change("fc2", F.relu(self.fc2(x))))


class Block(nn.Module):
    """Two convolutions beside a shortcut (He et al. 2015), which has a convolution of its own where sizes change."""

    def __init__(self, name: str, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.name = name
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.shortcut = nn.Conv2d(before, width, 1, stride, bias=False) if stride > 1 else None
        self.bn3 = nn.BatchNorm2d(width) if stride > 1 else None

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        h = change(f"{self.name}.conv1", F.relu(self.bn1(self.conv1(x)), inplace=True), 1)
        h = change(f"{self.name}.conv2", self.bn2(self.conv2(h)), 1)
        if self.shortcut is not None and self.bn3 is not None:
            x = change(f"{self.name}.shortcut", self.bn3(self.shortcut(x)), 1)
        h += x
        return F.relu_(h)


class ResNet(Oracle):
    """ResNet-20 at a third of its width and half of its blocks in a stage."""

    inputs = ((3, 16, 16),)

    def __init__(self, widths: tuple[int, ...] = (4, 6, 8), blocks: int = 2) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, widths[0], 3, padding=1, bias=False), nn.BatchNorm2d(widths[0])
        before, stages = widths[0], []
        for number, width in enumerate(widths):
            for block in range(blocks):
                name = f"stages.{len(stages)}"
                stages.append(Block(name, before, width, 2 if number and not block else 1))
                before = width
        self.stages, self.fc = nn.ModuleList(stages), nn.Linear(before, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        x = change("conv", F.relu(self.bn(self.conv(x))), 1)
        for stage in self.stages:
            x = stage(x, change)
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


class PreActivation(Oracle):
    """Normalized before, not behind, each convolution (He et al. 2016)."""

    inputs = ((3, 8, 8),)

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.bn1, self.bn2 = nn.Conv2d(3, 5, 3, padding=1), nn.BatchNorm2d(5), nn.BatchNorm2d(5)
        self.inner, self.outer, self.fc = nn.Conv2d(5, 5, 3, padding=1), nn.Conv2d(5, 5, 1), nn.Linear(5, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        x = self.enter(x)
        h = change("enter", F.relu(self.bn1(x)), 1)
        h = change("inner", F.relu(self.bn2(self.inner(h))), 1)
        x = change("enter", x, 1) + change("outer", self.outer(h), 1)
        return self.fc(F.relu(x).mean((2, 3)))


class DenseNet(Oracle):
    """Every layer reads all before it (Huang et al. 2017)."""

    inputs = ((3, 8, 8),)

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3, 4, 3, padding=1)
        self.norms = nn.ModuleList(nn.BatchNorm2d(4 + 3 * k) for k in range(3))
        self.convs = nn.ModuleList(nn.Conv2d(4 + 3 * k, 3, 3, padding=1, bias=False) for k in range(3))
        self.fc = nn.Linear(13, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        features = [self.enter(x)]
        for norm, conv in zip(self.norms, self.convs, strict=True):
            read = self.each(F.relu(norm(torch.cat(features, 1))), change)
            features.append(conv(read))
        return self.fc(self.each(torch.cat(features, 1).mean((2, 3)), change))

    def each(self, signal: Tensor, change: Change) -> Tensor:
        """Channels side by side are each its own until a convolution reads them."""
        widths = [4] + [3] * ((signal.shape[1] - 4) // 3)
        parts = signal.split(widths, 1)
        names = ["enter", *(f"convs.{k}" for k in range(3))]
        return torch.cat([change(name, part, 1) for name, part in zip(names, parts, strict=False)], 1)


class MobileNet(Oracle):
    """Inverted residuals with depthwise convolutions (Sandler et al. 2018)."""

    inputs = ((3, 8, 8),)

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.bn0 = nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.expand, self.bn1 = nn.Conv2d(4, 8, 1, bias=False), nn.BatchNorm2d(8)
        self.depthwise, self.bn2 = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False), nn.BatchNorm2d(8)
        self.project, self.bn3 = nn.Conv2d(8, 4, 1, bias=False), nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        x = change("enter", F.relu6(self.bn0(self.enter(x))), 1)
        h = change("expand", F.relu6(self.bn1(self.expand(x))), 1)
        h = change("depthwise", F.relu6(self.bn2(self.depthwise(h))), 1)
        x = x + change("project", self.bn3(self.project(h)), 1)
        return self.fc(x.mean((2, 3)))


class SqueezeExcite(Oracle):
    """Channels gated by what all of them do (Hu et al. 2018)."""

    inputs = ((3, 8, 8),)

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.squeeze, self.excite = nn.Conv2d(3, 6, 3), nn.Linear(6, 4), nn.Linear(4, 6)
        self.fc = nn.Linear(6, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        x = change("conv", F.silu(self.conv(x)), 1)
        gate = change("squeeze", F.relu(self.squeeze(x.mean((2, 3)))))
        gate = change("excite", torch.sigmoid(self.excite(gate)))
        return self.fc((x * gate[:, :, None, None]).mean((2, 3)))


class UNet(Oracle):
    """Down, up by a transposed convolution, and across (Ronneberger et al. 2015)."""

    inputs = ((1, 8, 8),)

    def __init__(self) -> None:
        super().__init__()
        self.down, self.bottom = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 6, 3, padding=1)
        self.up, self.join = nn.ConvTranspose2d(6, 4, 2, 2), nn.Conv2d(8, 5, 3, padding=1)
        self.out = nn.Conv2d(5, 3, 1)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        across = F.relu(self.down(x))
        below = change("bottom", F.relu(self.bottom(change("down", F.max_pool2d(across, 2), 1))), 1)
        up = change("up", F.relu(self.up(below)), 1)
        joined = change("join", F.relu(self.join(torch.cat([up, change("down", across, 1)], 1))), 1)
        return self.out(joined).mean((2, 3))


class Normalized(Oracle):
    """Group, instance and layer normalization; leaky, per-channel and smooth activations; a bias of its own."""

    inputs = ((2, 8, 8),)

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = (nn.Conv2d(k, 4, 3, padding=1) for k in (2, 4, 4))
        self.groups, self.each, self.layer = nn.GroupNorm(2, 4), nn.InstanceNorm2d(4, affine=True), nn.LayerNorm(5)
        self.prelu, self.scale = nn.PReLU(4), nn.Parameter(torch.rand(1, 4, 1, 1) + 0.5)
        self.d, self.head = nn.Linear(4, 5), nn.Linear(5, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        x = F.leaky_relu(self.groups(change("a", self.a(x), 1)), 0.2)
        x = change("b", self.prelu(self.each(self.b(x))) * self.scale, 1)
        x = change("c", F.avg_pool2d(F.softplus(self.c(x)), 2), 1)
        return self.head(F.gelu(self.layer(change("d", self.d(x.amax((2, 3)))))))


class Sequences(Oracle):
    """One-dimensional convolutions, dilated and padded."""

    inputs = ((2, 16),)

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.head = nn.Conv1d(2, 5, 3, dilation=2), nn.Conv1d(5, 4, 3, stride=2), nn.Linear(4, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        x = change("a", F.pad(F.elu(self.a(x)), (1, 1)), 1)
        return self.head(change("b", F.adaptive_max_pool1d(torch.relu(self.b(x)), 1), 1)[:, :, 0])


class Causal(Oracle):
    """A temporal convolutional network, its weights normalized in the old way (Bai et al. 2018)."""

    inputs = ((2, 12),)

    def __init__(self) -> None:
        super().__init__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            self.a = nn.utils.weight_norm(nn.Conv1d(2, 4, 3, padding=2))
            self.b = nn.utils.weight_norm(nn.Conv1d(4, 5, 3, padding=4, dilation=2))
        self.shortcut, self.head = nn.Conv1d(2, 5, 1), nn.Linear(5, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        h = change("a", F.relu(self.a(x)[:, :, :-2].contiguous()), 1)
        h = change("b", F.relu(self.b(h)[:, :, :-4].contiguous()), 1)
        return self.head(F.relu(h + change("shortcut", self.shortcut(x), 1))[:, :, -1])


class Volumes(Oracle):
    inputs = ((1, 5, 5, 5),)

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.head = nn.Conv3d(1, 3, 3), nn.Conv3d(3, 4, 2, groups=1), nn.Linear(4 * 8, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        x = change("a", F.hardswish(self.a(x)), 1)
        return self.head(change("b", F.relu(self.b(x)), 1).flatten(1))


class InPlace(Oracle):
    """Everything done in place, and what is left of it read through views."""

    inputs = ((1, 6, 6),)

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.head = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 1), nn.Linear(4, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        x = self.a(x)
        x.relu_().mul_(2)
        x = change("a", x, 1)
        h = self.b(x)
        h.tanh_()
        x = x + change("b", h, 1)
        return self.head(x.view(len(x), 4, -1).mean(2))
