"""Models whose layers are no chain, and what reads what in any of them, by trying."""

import copy
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d)
MIXING = (nn.GroupNorm, nn.LayerNorm, nn.InstanceNorm2d)

Links = dict[tuple[str, str], np.ndarray]
"""By reading layer and layer read: strengths ``[out, in]``."""


def links_by_trying(model: nn.Module, inputs: Sequence[Tensor]) -> Links:
    """Every layer's output is held as it was, but for one unit: who takes something else in, and which weights see it?

    The strength of a link is Σ |w| over the weights of the reading unit's row that can tell. Normalizations that tell
    each unit about others are left out, as they have no weights between units.
    """
    model = copy.deepcopy(model).double().eval()
    for part in list(model.modules()):
        for name, child in part.named_children():
            if isinstance(child, MIXING):
                setattr(part, name, nn.Identity())
    inputs, generator = [one.double() for one in inputs], torch.Generator().manual_seed(3)
    layers: dict[str, nn.Module] = {n: part for n, part in model.named_modules() if isinstance(part, LAYERS)}
    taken, given = _run(model, layers, inputs, {})
    names = ["inputs"] if len(inputs) == 1 else [f"inputs.{k}" for k in range(len(inputs))]
    found: Links = {}
    for source in [*names, *layers]:
        signals = [inputs[names.index(source)]] if source in names else given[source]
        axis = 1 if signals[0].ndim > 2 and not isinstance(layers.get(source), nn.Linear) else -1
        for unit in range(signals[0].shape[axis]):
            others = [signal.clone() for signal in signals]
            for other in others:
                place = other.select(axis, unit)
                place += 30 * torch.randn(place.shape, generator=generator, dtype=torch.float64)
            changed = [others[0] if name == source else one for name, one in zip(names, inputs, strict=True)]
            now, _ = _run(model, layers, changed, {**given, source: others})
            for reader, part in layers.items():
                seen = sum(_seen(part, a - b) for a, b in zip(now[reader], taken[reader], strict=True))
                if isinstance(seen, np.ndarray) and seen.any():
                    none = np.zeros((len(seen), signals[0].shape[axis]))
                    found.setdefault((reader, source), none)[:, unit] = seen
    return found


def _run(
    model: nn.Module, layers: dict[str, nn.Module], inputs: Sequence[Tensor], held: dict[str, list[Tensor]]
) -> tuple[dict[str, list[Tensor]], dict[str, list[Tensor]]]:
    """What every layer takes, and gives, at each of its calls; it gives what is held instead."""
    taken: dict[str, list[Tensor]] = {name: [] for name in layers}
    given: dict[str, list[Tensor]] = {name: [] for name in layers}

    def hook(name: str, part: nn.Module, args: tuple[Tensor, ...], out: Tensor) -> Tensor:
        taken[name].append(args[0].detach().clone())
        given[name].append(out.detach().clone())
        return held[name][len(given[name]) - 1].clone() if name in held else out

    handles = [part.register_forward_hook(partial(hook, name)) for name, part in layers.items()]
    with torch.no_grad():
        model(*(one.clone() for one in inputs))
    for handle in handles:
        handle.remove()
    return taken, given


def _seen(part: nn.Module, difference: Tensor) -> np.ndarray:
    """By row of a layer, Σ |w| over the weights on which its answer to a difference depends."""
    weight = part.get_parameter("weight").detach().requires_grad_()
    own = {"weight": weight} | ({"bias": torch.zeros_like(part.bias)} if isinstance(part.bias, Tensor) else {})
    answer = functional_call(part, own, difference).movedim(-1 if isinstance(part, nn.Linear) else 1, 0).flatten(1)
    noise = torch.rand(answer.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    rows = [torch.autograd.grad(row, weight, retain_graph=True)[0] for row in (answer * noise).sum(1)]
    return np.array([float(weight.detach()[row.abs() > 1e-9].abs().sum()) for row in rows])


class OptionA(nn.Module):
    """A shortcut without weights: every second place, and channels of 0 beside (He et al. 2015)."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.a, self.b = (
            nn.Conv2d(2, 3, 3, padding=1),
            nn.Conv2d(3, 5, 3, 2, 1),
            nn.Conv2d(5, 5, 3, padding=1),
        )
        self.head = nn.Linear(5 * 16, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.enter(x))
        h = self.b(F.relu(self.a(x)))
        return self.head(F.relu(h + F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 1, 1))).flatten(1))


class Shuffled(nn.Module):
    """Half of the channels go on, half are read; then they are shuffled (Ma et al. 2018)."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.inner, self.deep = (
            nn.Conv2d(1, 6, 3),
            nn.Conv2d(3, 3, 1),
            nn.Conv2d(3, 3, 3, groups=3, padding=1),
        )
        self.head = nn.Conv2d(6, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        left, right = self.enter(x).relu().chunk(2, 1)
        joined = torch.cat([left, self.deep(self.inner(right).relu())], 1)
        n, c, *places = joined.shape
        return self.head(joined.view(n, 2, c // 2, *places).transpose(1, 2).reshape(n, c, *places)).mean((2, 3))


class UpAndDown(nn.Module):
    """Grouped transposed convolutions, padded pooling, interpolation, and the image beside what was made of it."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(2, 4, 3, padding=1), nn.ConvTranspose2d(4, 6, 2, 2, groups=2)
        self.out = nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = F.max_pool2d(F.pad(F.relu(self.down(x)), (0, 1, 0, 1)), 3, 2)
        joined = torch.cat([F.relu(self.up(h)), F.interpolate(x, scale_factor=1.0)], 1)
        return self.out(joined).mean((2, 3))


class Siamese(nn.Module):
    """One layer for two inputs, whose units are added in one place and put side by side in another."""

    def __init__(self) -> None:
        super().__init__()
        self.twin, self.inner, self.head = nn.Linear(4, 5), nn.Linear(5, 5), nn.Linear(15, 3)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        a, b = torch.tanh(self.twin(x)), torch.tanh(self.twin(z))
        return self.head(torch.cat([a, b, self.inner(a - b)], 1))


class Residual(nn.Module):
    """The inputs go on beside the layers; branches are stacked and added; units are put together in a sum over them."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = (nn.Linear(4, 4) for _ in range(3))
        self.norm, self.total, self.head = nn.LayerNorm(4), nn.Linear(1, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.a(x).tanh()
        h = torch.stack([self.b(self.norm(x)), self.c(x.flip(1))]).mean(0)
        return self.head(x + self.total(h.sum(1, keepdim=True)))


class TokensAndChannels(nn.Module):
    """Layers that read units across tokens, and tokens across units (Tolstikhin et al. 2021)."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.tokens, self.back = nn.Conv2d(1, 5, 2, 2), nn.Linear(4, 6), nn.Linear(6, 4)
        self.channels, self.head = nn.Linear(5, 5), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = x + self.back(torch.tanh(self.tokens(x.transpose(1, 2)))).transpose(1, 2)
        return self.head((x + self.channels(x)).mean(1))


class Drawn(nn.Module):
    """Layers that read sums and concatenations of what was there before, as it is drawn.

    Args:
        steps: for each layer which signals it reads, and whether they are added or put side by side.
    """

    def __init__(self, steps: Sequence[tuple[Sequence[int], bool]], width: int = 3) -> None:
        super().__init__()
        self.steps = [
            (sorted({number % (2 * k + 1) for number in read}), added) for k, (read, added) in enumerate(steps)
        ]
        self.layers = nn.ModuleList(
            nn.Linear(width if added else width * len(read), width) for read, added in self.steps
        )
        self.head = nn.Linear(width * (1 + 2 * len(steps)), 2)
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        signals = [x]
        for (read, added), layer in zip(self.steps, self.layers, strict=True):
            there = [signals[number] for number in read]
            signals.append(layer(sum(there, torch.zeros(self.width)) if added else torch.cat(there, 1)))
            signals.append(torch.tanh(signals[-1] + there[0].flip(1)))
        return self.head(torch.cat(signals, 1))


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[tuple[int, ...], ...]]] = {
    "option A": (OptionA, ((2, 8, 8),)),
    "shuffled": (Shuffled, ((1, 7, 7),)),
    "up and down": (UpAndDown, ((2, 8, 8),)),
    "siamese": (Siamese, ((4,), (4,))),
    "residual": (Residual, ((4,),)),
    "tokens and channels": (TokensAndChannels, ((1, 4, 4),)),
}
