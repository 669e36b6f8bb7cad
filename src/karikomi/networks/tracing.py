"""A module's forward, traced once, as a chain of layers."""

import operator
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from torch import Tensor, fx, nn
from torch.fx.node import map_aggregate, map_arg

from karikomi.errors import InputError

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
LINKED = (nn.Linear, *CONVOLUTIONS)
Linked = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d

# What acts on each unit independently, by the file of PyTorch that it is in and by the name of its function.
UNITWISE_MODULES = {"activation", "batchnorm", "dropout", "flatten", "pooling"}
NONLINEAR = re.compile(
    r"relu_?|relu6|leaky_relu|[cs]?elu|gelu|silu|mish|soft(plus|sign)|hard(tanh|sigmoid|swish)|tanh|(log)?sigmoid"
)
OTHER_UNITWISE = re.compile(r"(alpha_)?dropout([123]d)?|(adaptive_)?(avg|max)_pool[123]d|contiguous|clone|float")
SOFTMAX = re.compile(r"(log_)?softmax|(Log)?Softmax(2d)?|Softmin")


class _Placeholder(Enum):
    SIGNAL = "where the signal goes"


@dataclass(frozen=True)
class Call:
    """A call as it was traced; in place of the signal stands a placeholder, in place of its size the call for it."""

    target: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def __call__(self, signal: Tensor, part: nn.Module | None = None) -> Any:
        def value(given: Any) -> Any:
            return given(signal) if isinstance(given, Call) else signal if given is _Placeholder.SIGNAL else given

        args: Any = map_aggregate(self.args, value)
        kwargs: Any = map_aggregate(self.kwargs, value)
        if part is not None:
            return part(*args, **kwargs)
        if isinstance(self.target, str):
            return getattr(args[0], self.target)(*args[1:], **kwargs)
        return self.target(*args, **kwargs)

    @property
    def constants(self) -> tuple[Any, ...]:
        """Arguments that are neither the signal nor its size."""
        given = [*self.args, *self.kwargs.values()]
        flat = [one for some in given for one in (some if isinstance(some, tuple | list) else [some])]
        return tuple(one for one in flat if not isinstance(one, Call | _Placeholder))


@dataclass(frozen=True)
class Step:
    """One operation on a signal of any number of examples ``[n, …]``.

    ``part`` is the submodule that does it, None for a function or a method.
    """

    name: str
    part: nn.Module | None
    call: Call

    def apply(self, signal: Tensor, module: nn.Module) -> Tensor:
        """The signal behind this step; parameters and mode are those of ``module``, of the traced architecture."""
        return self.call(signal, None if self.part is None else module.get_submodule(self.name))

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


class Stage(NamedTuple):
    """A layer, and what its output passes before the next one.

    ``places`` is how many of its inputs come from each unit of the layer before: more than 1 behind flattened channels.
    """

    layer: Step
    part: Linked
    places: int
    after: Sequence[Step]

    @property
    def name(self) -> str:
        return self.layer.name


class Chain(NamedTuple):
    """What the inputs pass before the first layer, and the layers in the order in which a signal passes them."""

    entrance: Sequence[Step]
    stages: Sequence[Stage]


def follow(module: nn.Module) -> Chain:
    """The chain that ``module`` is, in evaluation mode; its layers are the module's own.

    Between layers there may be what acts on each unit independently: activations, dropout, flattening, pooling and
    batch normalization. A forward of your own is followed by ``torch.fx``.

    >>> [stage.name for stage in follow(nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))).stages]
    ['0', '2']

    Raises:
        InputError: if the module is no such chain.
    """
    stages: list[Stage] = []
    entrance = passed = list[Step]()
    for step in _steps(module):
        if isinstance(step.part, LINKED):
            if mixing := next((other for other in passed if other.mixes), None):
                raise InputError(f"{mixing.name} mixes the units before {step.name}; it may only follow the last layer")
            places = _places(step.name, step.part, stages[-1]) if stages else 1
            passed = list[Step]()
            stages.append(Stage(step, step.part, places, passed))
        elif _is_unitwise(step) or step.mixes or (not stages and isinstance(step.part, nn.Unflatten)):
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


def _places(name: str, layer: Linked, before: Stage) -> int:
    """Inputs of ``layer`` that come from each unit of the layer before; refuses widths that do not fit."""
    linear, channels = isinstance(layer, nn.Linear), isinstance(before.part, CONVOLUTIONS)
    width = layer.in_features if isinstance(layer, nn.Linear) else layer.in_channels
    flat, units = any(step.flattens for step in before.after), len(before.part.weight)
    if linear and channels and not flat:
        raise InputError(f"{name} follows a convolution directly; put nn.Flatten between them")
    if not linear and (flat or not channels):
        raise InputError(f"{name} is a convolution, but {before.name} before it hands on single numbers, not channels")
    if linear and channels and width % units:
        raise InputError(f"{name} takes {width} numbers, which {units} flattened channels cannot give")
    if linear != channels and width != units:
        raise InputError(f"{name} takes {width} units, but the layer before it has {units}")
    return width // units


def _steps(module: nn.Module) -> Iterator[Step]:
    """What happens to the signal, one thing after the other."""
    if isinstance(module, LINKED):
        yield Step("", module, Call("", (_Placeholder.SIGNAL,), {}))
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
            yield Step(name, part, _call(node, sizes))


def _trace(module: nn.Module) -> list[fx.Node]:
    if type(module).__module__.startswith("torch.nn") and not isinstance(module, nn.Sequential):
        kind = type(module).__name__
        raise InputError(f"cannot follow single units through a {kind}; give a model of layers in a row")
    training = [part for part in module.modules() if part.training]
    try:
        for part in training:
            part.training = False
        return list(fx.symbolic_trace(module).graph.nodes)
    except Exception as problem:
        reason = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
        raise InputError(f"cannot follow the model's forward ({reason}); build it as an nn.Sequential") from problem
    finally:
        for part in training:
            part.training = True


def _call(node: fx.Node, sizes: Mapping[fx.Node, fx.Node]) -> Call:
    def template(other: fx.Node) -> Any:
        return _call(other, sizes) if other in sizes else _Placeholder.SIGNAL

    args: Any = map_arg(node.args, template)
    kwargs: Any = map_arg(node.kwargs, template)
    return Call(node.target, args, kwargs)


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
