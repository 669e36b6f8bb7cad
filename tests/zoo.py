"""Models of many kinds, each with its own oracle: a forward that says, in its author's words, where units act.

A model calls ``change(layer, signal)`` wherever a layer's units act; a signal with units on another axis than the last
names it. What units are is thus written by hand, once more, and independently of how they are found.
"""

import math
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Change = Callable[..., Tensor]


def keep(layer: str, signal: Tensor, axis: int = -1, each: int = 1) -> Tensor:
    return signal


class Oracle(nn.Module):
    """A model whose forward takes ``change``."""

    inputs: tuple[tuple[int, ...], ...] = ((6,),)
    tokens = 0
    classes = 3

    def given(self, many: int) -> tuple[Tensor, ...]:
        """Inputs of so many examples."""
        generator = torch.Generator().manual_seed(1)
        if self.tokens:
            return tuple(torch.randint(self.tokens, (many, *shape), generator=generator) for shape in self.inputs)
        return tuple(torch.randn(many, *shape, generator=generator) for shape in self.inputs)


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


class HeadFirst(Oracle):
    def __init__(self) -> None:
        super().__init__()
        self.head, self.a, self.b = nn.Linear(8, 3), nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        h = change("a", F.relu(self.a(x)))
        return self.head(h) + 0 * self.b(h)


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


class ViT(Oracle):
    """Patches, a class token, one projection for query, key and value."""

    inputs = ((1, 8, 8),)

    def __init__(self, width: int = 8, heads: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.patch, self.token = nn.Conv2d(1, width, 4, 4), nn.Parameter(torch.randn(1, 1, width))
        self.position = nn.Parameter(torch.randn(1, 5, width))
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc1, self.fc2, self.head = nn.Linear(width, 12), nn.Linear(12, width), nn.Linear(width, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        patches = change("patch", self.patch(x), 1).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), patches], 1) + self.position
        n, t, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(n, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) / math.sqrt(width // self.heads)).softmax(-1)
        attended = change("attention", weights @ v, 1).transpose(1, 2).reshape(n, t, width)
        x = x + change("proj", self.proj(attended))
        x = x + change("fc2", self.fc2(change("fc1", F.gelu(self.fc1(self.norm2(x))))))
        return self.head(self.norm3(x)[:, 0])


class SeparateProjections(Oracle):
    """Query, key and value apart, PyTorch's own attention, fewer key heads than query heads; tokens."""

    inputs, tokens = ((7,),), 20

    def __init__(self, width: int = 8, heads: int = 4, key_heads: int = 2) -> None:
        super().__init__()
        self.heads, self.key_heads = heads, key_heads
        self.emb, self.pos = nn.Embedding(20, width), nn.Embedding(7, width)
        each = width // heads
        self.q, self.k, self.v = nn.Linear(width, width), nn.Linear(width, key_heads * each), nn.Linear(width, 4)
        self.o, self.head = nn.Linear(width, width), nn.Linear(width, 3)

    def forward(self, tokens: Tensor, change: Change = keep) -> Tensor:
        n, t = tokens.shape
        x = change("emb", self.emb(tokens) + self.pos(torch.arange(t)))
        q = self.q(x).view(n, t, self.heads, -1).transpose(1, 2)
        k, v = (layer(x).view(n, t, self.key_heads, -1).transpose(1, 2) for layer in (self.k, self.v))
        k, v = (part.repeat_interleave(self.heads // self.key_heads, 1) for part in (k, v))
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        attended = change("attention", attended, 1).transpose(1, 2).flatten(2)
        return self.head((x + change("o", self.o(attended))).mean(1))


class EinsumAttention(Oracle):
    inputs = ((5, 6),)

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.q, self.k, self.v = (nn.Linear(6, 6) for _ in range(4))
        self.o, self.head = nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        x = change("enter", torch.tanh(self.enter(x)))
        q, k, v = (layer(x).unflatten(2, (3, 2)) for layer in (self.q, self.k, self.v))
        weights = torch.einsum("bqhd,bkhd->bhqk", q, k).softmax(-1)
        attended = change("attention", torch.einsum("bhqk,bkhd->bqhd", weights, v), 2).flatten(2)
        return self.head(change("o", F.relu(self.o(attended))).mean(1))


class Encoder(Oracle):
    """PyTorch's own encoder layer; its heads and projections from the formula (Vaswani et al. 2017)."""

    inputs = ((5, 8),)

    def __init__(self, first: bool = True) -> None:
        super().__init__()
        self.first = first
        self.layer, self.head = nn.TransformerEncoderLayer(8, 2, 10, batch_first=first), nn.Linear(8, 3)

    def forward(self, x: Tensor, change: Change | None = None) -> Tensor:
        if change is None:
            return self.head(self.layer(x).mean(1) if self.first else self.layer(x.transpose(0, 1)).mean(0))
        attention, layer = self.layer.self_attn, self.layer
        parts = F.linear(x, attention.in_proj_weight, attention.in_proj_bias).chunk(3, 2)
        q, k, v = (part.unflatten(2, (2, 4)).transpose(1, 2) for part in parts)
        heads = change("layer.self_attn", (q @ k.transpose(2, 3) / 2).softmax(3) @ v, 1).transpose(1, 2).flatten(2)
        x = layer.norm1(x + change("layer.self_attn.out_proj", attention.out_proj(heads)))
        inner = change("layer.linear1", F.relu(layer.linear1(x)))
        return self.head(layer.norm2(x + change("layer.linear2", layer.linear2(inner))).mean(1))


class Mixer(Oracle):
    """Perceptrons over patches and over channels in turn (Tolstikhin et al. 2021)."""

    inputs = ((4, 6),)

    def __init__(self) -> None:
        super().__init__()
        self.tokens1, self.tokens2 = nn.Linear(4, 5), nn.Linear(5, 4)
        self.channels1, self.channels2 = nn.Linear(6, 7), nn.Linear(7, 6)
        self.norm1, self.norm2, self.head = nn.LayerNorm(6), nn.LayerNorm(6), nn.Linear(6, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        h = change("tokens1", F.gelu(self.tokens1(self.norm1(x).transpose(1, 2))))
        x = x + change("tokens2", self.tokens2(h)).transpose(1, 2)
        h = change("channels1", F.gelu(self.channels1(self.norm2(x))))
        return self.head((x + change("channels2", self.channels2(h))).mean(1))


class Cells(Oracle):
    """A recurrent cell in a loop: one layer, called at every step."""

    inputs = ((4, 5),)

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.head = nn.GRUCell(5, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        h = torch.zeros(len(x), 6)
        for step in range(4):
            h = change("cell", self.cell(x[:, step], h))
        return self.head(h)


class Repeated(Oracle):
    """One layer twice, so that its units act in two places."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.head = nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        h = change("inner", torch.tanh(self.inner(x)))
        return self.head(h + change("inner", torch.tanh(self.inner(h))))


class TiedAutoencoder(Oracle):
    """The decoder's weights are the encoder's, turned round."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.bias = nn.Linear(6, 4), nn.Parameter(torch.randn(6))

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        h = change("encoder", F.relu(self.encoder(x)))
        return F.linear(h, self.encoder.weight.t(), self.bias)


class TwoInputs(Oracle):
    inputs = ((4,), (3,))

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(4, 5), nn.Linear(3, 6), nn.Linear(11, 3)

    def forward(self, x: Tensor, z: Tensor, change: Change = keep) -> Tensor:
        return self.c(torch.cat([change("a", F.relu(self.a(x))), change("b", F.relu(self.b(z)))], 1))


class Gated(Oracle):
    """SiLU written out, and a gate from another layer (Dauphin et al. 2017)."""

    def __init__(self) -> None:
        super().__init__()
        self.value, self.gate, self.head = nn.Linear(6, 5), nn.Linear(6, 5), nn.Linear(5, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        h = self.value(x)
        return self.head(change("value", h * torch.sigmoid(h)) * change("gate", torch.sigmoid(self.gate(x))))


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


class Volumes(Oracle):
    inputs = ((1, 5, 5, 5),)

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.head = nn.Conv3d(1, 3, 3), nn.Conv3d(3, 4, 2, groups=1), nn.Linear(4 * 8, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        x = change("a", F.hardswish(self.a(x)), 1)
        return self.head(change("b", F.relu(self.b(x)), 1).flatten(1))


class OwnWeights(Oracle):
    """Layers written as products with parameters, on either side."""

    def __init__(self) -> None:
        super().__init__()
        self.w1, self.w2 = nn.Parameter(torch.randn(6, 5)), nn.Parameter(torch.randn(4, 5))
        self.b1, self.head = nn.Parameter(torch.randn(5)), nn.Linear(4, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        h = change("w1", F.relu(x @ self.w1 + self.b1))
        return self.head(change("w2", torch.tanh(self.w2 @ h.T), 0).T)


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


class Patches(Oracle):
    """A perceptron on all patches at once, examples and patches on one axis (GPT-2's way to write a layer)."""

    inputs = ((5, 6),)

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(6, 7)), nn.Parameter(torch.randn(7))
        self.head = nn.Linear(7, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        h = torch.addmm(self.bias, x.reshape(-1, 6), self.weight).view(*x.shape[:2], 7)
        return self.head(change("weight", F.gelu(h)).mean(1))


ORACLES: Mapping[str, Callable[[], Oracle]] = {
    kind.__name__: kind
    for kind in (
        Branching, HeadFirst, Tutorial, ResNet, PreActivation, DenseNet, MobileNet, SqueezeExcite, UNet, ViT,
        SeparateProjections, EinsumAttention, Encoder, Mixer, Cells, Repeated, TiedAutoencoder, TwoInputs, Gated,
        Normalized, Sequences, Volumes, OwnWeights, InPlace, Patches,
    )
} | {"a chain": lambda: Branching(False), "tokens first": lambda: Encoder(False)}  # fmt: skip


def trained(make: Callable[[], Oracle]) -> Oracle:
    """A model with running statistics, scales and shifts like those of a trained one."""
    torch.manual_seed(0)
    model = make()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
        if not model.tokens:
            model.train()(*(2 * torch.randn(64, *shape) + 1 for shape in model.inputs))
    return model.eval()
