"""A module followed as one chain of linear and convolutional layers."""

import operator
import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from torch import Tensor, fx, nn
from torch.fx.node import map_arg

from karikomi.errors import InputError

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
LINKED = (nn.Linear, *CONVOLUTIONS)
Linked = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d

# What leaves every unit to itself, by the file of PyTorch that it is in and by the name of its function.
UNITWISE_MODULES = {"activation", "batchnorm", "dropout", "flatten", "pooling"}
NONLINEAR = re.compile(
    r"relu_?|relu6|leaky_relu|[cs]?elu|gelu|silu|mish|soft(plus|sign)|hard(tanh|sigmoid|swish)|tanh|(log)?sigmoid"
)
OTHER_UNITWISE = re.compile(r"(alpha_)?dropout([123]d)?|(adaptive_)?(avg|max)_pool[123]d|contiguous|clone|float")
SOFTMAX = re.compile(r"(log_)?softmax|(Log)?Softmax(2d)?|Softmin")


@dataclass(frozen=True)
class Step:
    """One thing that happens to a signal of any number of examples ``[n, …]``.

    ``part`` is the submodule that does it, None for a function or a method, which has ``constants`` for arguments.
    """

    name: str
    part: nn.Module | None
    apply: Callable[[Tensor], Tensor]
    constants: tuple[Any, ...] = ()

    @property
    def nonlinear(self) -> bool:
        """Whether it is an activation function."""
        return _home(self.part) == "activation" if self.part else bool(NONLINEAR.fullmatch(self.name))

    @property
    def flattens(self) -> bool:
        return isinstance(self.part, nn.Flatten) if self.part else self.name in ("flatten", "view", "reshape")

    @property
    def mixes(self) -> bool:
        """Whether every unit of its output depends on all units of its input."""
        return SOFTMAX.fullmatch(type(self.part).__name__ if self.part else self.name) is not None


@dataclass(frozen=True)
class Stage:
    """A layer, and what its output passes before the next one.

    ``places`` is how many of its inputs come from each unit of the layer before: more than 1 behind flattened channels.
    """

    name: str
    layer: Linked
    places: int
    after: Sequence[Step]

    @property
    def units(self) -> int:
        return len(self.layer.weight)


class Chain(NamedTuple):
    """What the inputs pass before the first layer, and the layers in the order in which a signal passes them."""

    entrance: Sequence[Step]
    stages: Sequence[Stage]


def follow(module: nn.Module) -> Chain:
    """The chain that ``module`` is; its layers are the module's own.

    Between layers there may be what leaves every unit to itself: activations, dropout, flattening, pooling and batch
    normalization. A forward of your own is followed by ``torch.fx``, as it is in the module's present mode.

    >>> [stage.name for stage in follow(nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))).stages]
    ['0', '2']

    Raises:
        InputError: if the module is no such chain, or its layers share weights.
    """
    refuse_shared(module)
    stages: list[Stage] = []
    entrance = passed = list[Step]()
    for step in _steps(module):
        if isinstance(step.part, LINKED):
            if mixing := next((other for other in passed if other.mixes), None):
                raise InputError(f"{mixing.name} mixes the units before {step.name}; it may only follow the last layer")
            places = _places(step.name, step.part, stages[-1]) if stages else 1
            passed = list[Step]()
            stages.append(Stage(step.name, step.part, places, passed))
        elif _is_unitwise(step) or step.mixes:
            passed.append(step)
        else:
            what = f"{step.name}, a {type(step.part).__name__}" if step.part else step.name
            raise InputError(
                f"cannot follow single units through {what}: a chain has linear and convolutional layers, with nothing"
                " but activations, dropout, flattening, pooling and batch normalization between them"
            )
    if not stages:
        raise InputError("the model has no linear or convolutional layer")
    return Chain(entrance, stages)


def chain_of(module: nn.Module) -> Chain | None:
    """The chain that ``module`` is, None if it is another kind of module; an InputError if layers share weights."""
    refuse_shared(module)
    try:
        return follow(module)
    except InputError:
        return None


def refuse_shared(module: nn.Module) -> None:
    """Raise an InputError if two layers hold one parameter: removing a unit of one would change the other."""
    owner: dict[int, str] = {}
    for name, part in module.named_modules(remove_duplicate=False):
        for parameter in part.parameters(recurse=False):
            if (other := owner.setdefault(id(parameter), name)) != name:
                raise InputError(f"{name} uses the weights of {other} again; give every layer its own")


def _places(name: str, layer: Linked, before: Stage) -> int:
    """Inputs of ``layer`` that come from each unit of the layer before; refuses widths that do not fit."""
    linear, channels = isinstance(layer, nn.Linear), isinstance(before.layer, CONVOLUTIONS)
    width = layer.in_features if isinstance(layer, nn.Linear) else layer.in_channels
    flat = any(step.flattens for step in before.after)
    if linear and channels and not flat:
        raise InputError(f"{name} follows a convolution directly; put nn.Flatten between them")
    if not linear and (flat or not channels):
        raise InputError(f"{name} is a convolution, but {before.name} before it hands on single numbers, not channels")
    if linear and channels and width % before.units:
        raise InputError(f"{name} takes {width} numbers, which {before.units} flattened channels cannot give")
    if linear != channels and width != before.units:
        raise InputError(f"{name} takes {width} units, but the layer before it has {before.units}")
    return width // before.units


def _steps(module: nn.Module) -> Iterator[Step]:
    """What happens to the signal, one thing after the other."""
    if isinstance(module, LINKED):
        yield Step("", module, module)
        return
    signal: fx.Node | None = None
    sizes: dict[fx.Node, fx.Node] = {}  # a size that the forward asks for, and whose it is
    called: set[str] = set()
    for node in _trace(module):
        if _is_size(node, sizes):
            asked = node.all_input_nodes[0]
            sizes[node] = sizes.get(asked, asked)
            continue
        name = _name(node)
        given = [other for other in node.all_input_nodes if other not in sizes]
        if given != ([] if signal is None else [signal]) or _looks_back(node, sizes, signal):
            raise InputError(f"a chain of layers is needed, but the signal branches or joins at {name}")
        signal = node
        if node.op not in ("placeholder", "output"):
            part = module.get_submodule(name) if node.op == "call_module" else None
            if name in called:
                raise InputError(f"{name} is used more than once; give every layer its own weights")
            if part and any(True for _ in part.parameters()):
                called.add(name)
            yield Step(name, part, partial(_evaluate, node, sizes, part), _constants(node))


def _trace(module: nn.Module) -> list[fx.Node]:
    if type(module).__module__.startswith("torch.nn") and not isinstance(module, nn.Sequential):
        kind = type(module).__name__
        raise InputError(f"cannot follow single units through a {kind}; give a model of layers in a row")
    try:
        return list(fx.symbolic_trace(module).graph.nodes)
    except Exception as problem:
        reason = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
        raise InputError(f"cannot follow the model's forward ({reason}); build it as an nn.Sequential") from problem


def _evaluate(node: fx.Node, sizes: Mapping[fx.Node, fx.Node], part: nn.Module | None, signal: Tensor) -> Any:
    def value(other: fx.Node) -> Any:
        return _evaluate(other, sizes, None, signal) if other in sizes else signal

    args, kwargs = map_arg(node.args, value), map_arg(node.kwargs, value)
    if part is not None:
        return part(*args, **kwargs)
    if isinstance(node.target, str):
        return getattr(args[0], node.target)(*args[1:], **kwargs)
    return node.target(*args, **kwargs)


def _constants(node: fx.Node) -> tuple[Any, ...]:
    given = [*node.args, *node.kwargs.values()]
    flat = [one for some in given for one in (some if isinstance(some, tuple | list) else [some])]
    return tuple(one for one in flat if not isinstance(one, fx.Node))


def _name(node: fx.Node) -> str:
    return node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))


def _is_size(node: fx.Node, sizes: Container[fx.Node]) -> bool:
    """Whether a step only asks for a shape, as in ``x.view(x.size(0), -1)``."""
    if node.target is operator.getitem:
        return node.all_input_nodes[0] in sizes
    return node.target in ("size", "dim") if node.op == "call_method" else node.target is getattr


def _looks_back(node: fx.Node, sizes: Mapping[fx.Node, fx.Node], signal: fx.Node | None) -> bool:
    """Whether a step uses the size of an earlier signal, other than the number of examples, which stays."""
    return any(other in sizes and sizes[other] is not signal and other.args[-1] != 0 for other in node.all_input_nodes)


def _home(part: nn.Module) -> str:
    return type(part).__module__.removeprefix("torch.nn.modules.")


def _is_unitwise(step: Step) -> bool:
    if step.part is None:
        return step.nonlinear or step.flattens or OTHER_UNITWISE.fullmatch(step.name) is not None
    mixing = isinstance(step.part, nn.MultiheadAttention | nn.GLU | nn.Unflatten)
    return isinstance(step.part, nn.Identity) or (_home(step.part) in UNITWISE_MODULES and not mixing)
