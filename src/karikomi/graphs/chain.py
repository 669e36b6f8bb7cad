"""The chain of linear and convolutional layers in a module, and the weights between their units."""

import operator
import re
from collections.abc import Iterator

import numpy as np
from torch import fx, nn

from karikomi.errors import InputError
from karikomi.networks.subnetwork import Arrays

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
LINKED = (nn.Linear, *CONVOLUTIONS)
Linked = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d

# What leaves every unit to itself, by the file of PyTorch that it is in and by the name of its function.
UNITWISE_MODULES = {"activation", "batchnorm", "dropout", "flatten", "pooling"}
UNITWISE_FUNCTIONS = re.compile(
    r"relu_?|relu6|leaky_relu|[cs]?elu|gelu|silu|mish|soft(plus|sign|max)|log_softmax|hard(tanh|sigmoid|swish)|tanh"
    r"|(log)?sigmoid|(alpha_)?dropout([123]d)?|(adaptive_)?(avg|max)_pool[123]d|contiguous|clone|float"
)
FLATTENING = ("flatten", "view", "reshape")

Gaps = tuple[tuple[str, ...], tuple[np.ndarray, ...], tuple[np.ndarray, ...]]


def gaps(module: nn.Module, weights: Arrays | None = None, masks: Arrays | None = None) -> Gaps:
    """Names of the layers, then per gap the weights and the masks ``[out, in]``.

    Args:
        module: a chain of layers.
        weights: by the module's own names; else those that it holds.
        masks: by the same names; else a weight that is not 0 is a link.
    """
    names, matrices, left = ["inputs"], [], []
    units, channels = 0, False
    for name, layer in _chain(module):
        key = f"{name}.weight".lstrip(".")
        weight = layer.weight.detach().cpu().numpy() if weights is None else weights[key]
        mask = weight != 0 if masks is None else masks[key]
        weight = np.asarray(weight, np.float64)
        if isinstance(layer, CONVOLUTIONS):
            weight, mask = _between_channels(weight, mask, layer.groups)
        elif channels:
            weight, mask = _by_channel(weight, mask, units, name)
        if units and weight.shape[1] != units:
            raise InputError(f"{name} takes {weight.shape[1]} units, but the layer before it has {units}")
        names.append(name or "outputs")
        matrices.append(weight)
        left.append(mask)
        units, channels = len(weight), isinstance(layer, CONVOLUTIONS)
    if not matrices:
        raise InputError("the model has no linear or convolutional layer, so there are no links to draw")
    return tuple(names), tuple(matrices), tuple(left)


def _between_channels(kernels: np.ndarray, mask: np.ndarray, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Kernels ``[out, in / groups, …]`` to L1 norms ``[out, in]``."""
    field = tuple(range(2, kernels.ndim))
    norms, linked = np.abs(kernels).sum(axis=field), np.asarray(mask.any(axis=field))
    outs, ins = norms.shape
    weight, link = np.zeros((outs, ins * groups)), np.zeros((outs, ins * groups), bool)
    for group in range(groups):
        rows, columns = (slice(group * n, (group + 1) * n) for n in (outs // groups, ins))
        weight[rows, columns], link[rows, columns] = norms[rows], linked[rows]
    return weight, link


def _by_channel(weight: np.ndarray, mask: np.ndarray, channels: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Columns of flattened channels ``[out, channels · places]`` to L1 norms ``[out, channels]``."""
    outs, columns = weight.shape
    if columns % channels:
        raise InputError(f"{name} takes {columns} numbers, which {channels} flattened channels cannot give")
    by_channel = (outs, channels, columns // channels)
    return np.abs(weight).reshape(by_channel).sum(axis=2), np.asarray(mask.reshape(by_channel).any(axis=2))


def _chain(module: nn.Module) -> Iterator[tuple[str, Linked]]:
    """The linear and convolutional layers in the order in which a signal passes them."""
    if isinstance(module, LINKED):
        yield "", module
        return
    owner: dict[int, str] = {}
    channels = False
    for step in _steps(module):
        layer = module.get_submodule(str(step.target)) if step.op == "call_module" else None
        name = _name(step)
        if isinstance(layer, LINKED):
            own = {id(parameter): name for parameter in layer.parameters()}
            if shared := own.keys() & owner.keys():
                raise InputError(f"{name} uses the weights of {owner[shared.pop()]} again; give every layer its own")
            if channels and isinstance(layer, nn.Linear):
                raise InputError(f"{name} follows a convolution directly; put nn.Flatten between them")
            owner |= own
            channels = not isinstance(layer, nn.Linear)
            yield name, layer
        elif isinstance(layer, nn.Flatten) or (layer is None and name in FLATTENING):
            channels = False
        elif not (UNITWISE_FUNCTIONS.fullmatch(name) if layer is None else _is_unitwise(layer)):
            what = name if layer is None else f"{name}, a {type(layer).__name__}"
            raise InputError(
                f"cannot draw the links of {what}: a graph is drawn from linear and convolutional layers, with nothing"
                " but activations, dropout, flattening, pooling and batch normalization between them"
            )


def _steps(module: nn.Module) -> Iterator[fx.Node]:
    """What happens to the signal, one thing after the other."""
    signal: fx.Node | None = None
    sizes: set[fx.Node] = set()
    for node in _trace(module):
        if _is_size(node, sizes):
            sizes.add(node)
            continue
        inputs = [given for given in node.all_input_nodes if given not in sizes]
        if inputs != ([] if signal is None else [signal]):
            raise InputError(f"a graph needs one chain of layers, but the signal branches or joins at {_name(node)}")
        signal = node
        if node.op not in ("placeholder", "output"):
            yield node


def _trace(module: nn.Module) -> list[fx.Node]:
    if type(module).__module__.startswith("torch.nn") and not isinstance(module, nn.Sequential):
        raise InputError(f"cannot draw the links of a {type(module).__name__}; give a model of linear layers in a row")
    try:
        return list(fx.symbolic_trace(module).graph.nodes)
    except Exception as problem:
        reason = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
        raise InputError(f"cannot follow the model's forward ({reason}); build it as an nn.Sequential") from problem


def _name(step: fx.Node) -> str:
    return step.target if isinstance(step.target, str) else getattr(step.target, "__name__", str(step.target))


def _is_size(node: fx.Node, sizes: set[fx.Node]) -> bool:
    """Whether a step only asks for a shape, as in ``x.view(x.size(0), -1)``."""
    if node.target is operator.getitem:
        return node.args[0] in sizes
    return node.target in ("size", "dim") if node.op == "call_method" else node.target is getattr


def _is_unitwise(layer: nn.Module) -> bool:
    home = type(layer).__module__.removeprefix("torch.nn.modules.")
    mixing = isinstance(layer, nn.MultiheadAttention | nn.GLU | nn.Unflatten)
    return isinstance(layer, nn.Identity) or (home in UNITWISE_MODULES and not mixing)
