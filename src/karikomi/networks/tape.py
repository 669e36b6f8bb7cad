"""A forward, recorded operation by operation, so that any part of it can be repeated.

``torch.export`` and ``torch.fx`` rewrite a forward as a program; here it runs as it is, under a mode that sees every
call of a PyTorch function. So control flow, sizes in Python and models of any library are followed as they are.
"""

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

from karikomi.errors import InputError
from karikomi.networks.nested import Ref, filled, leaves, mapped, tensors

# What brings a value into Python, where nothing can be followed.
READ_OUT = {"item", "tolist", "numpy", "equal", "allclose", "is_nonzero", "__bool__", "__int__", "__float__"}
CHANGES_SELF = {"__setitem__", "__iadd__", "__isub__", "__imul__", "__itruediv__", "__ipow__", "__iand__", "__ior__"}


@dataclass(frozen=True)
class Op:
    """One operation.

    Attributes:
        function: what was called; it changes none of its arguments.
        name: of PyTorch's function, such as ``relu``.
        args: its arguments, a ``Ref`` in place of every tensor that depends on the inputs.
        kwargs: those given by name.
        results: numbers of the tensors that it gave, in the order of its (nested) result.
        module: the innermost submodule that called it.
    """

    function: Callable[..., Any]
    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    results: tuple[int, ...]
    module: str

    @cached_property
    def refs(self) -> list[int]:
        """The numbers of the values that it takes."""
        return [leaf.number for leaf in leaves((self.args, self.kwargs)) if isinstance(leaf, Ref)]

    def run(self, value: Callable[[int], Tensor]) -> list[Tensor]:
        """What it gives for other values."""
        args, kwargs = filled((self.args, dict(self.kwargs)), value)
        return tensors(self.function(*args, **kwargs))

    def argument(self, place: int, name: str) -> Any:
        """The argument at a place, or by its name; None if it was not given."""
        return self.args[place] if place < len(self.args) else self.kwargs.get(name)


@dataclass(frozen=True)
class Tape:
    """A forward.

    Attributes:
        inputs: numbers of the input tensors.
        ops: what was done, in order.
        values: every value by its number.
        output: what the module gave.
        result: number of the tensor among it that holds the outputs; -1 if it does not depend on the inputs.
        origins: by the id of a tensor that depends on parameters or buffers alone: the first of them.
        buffers: the names of buffers.
    """

    inputs: list[int]
    ops: list[Op]
    values: list[Tensor]
    output: Any
    result: int
    origins: Mapping[int, str]
    buffers: frozenset[str]

    def origin(self, tensor: object) -> str:
        """The name of the parameter that a tensor is, or is computed from; "" if there is none."""
        return self.origins.get(id(tensor), "")


def unwrapped(module: nn.Module) -> nn.Module:
    """The module inside ``torch.compile`` and ``nn.DataParallel``.

    Raises:
        InputError: if it is none, or has parameters without values.
    """
    if not isinstance(module, nn.Module):
        raise InputError(f"the model must be an nn.Module; this is a {type(module).__name__}")
    for name, parameter in module.named_parameters():
        if isinstance(parameter, UninitializedParameter):
            raise InputError(f"{name} has no shape yet; run the model once, so that its lazy layers have theirs")
        if parameter.is_meta:
            raise InputError(f"{name} has no values: it is on the device meta")
    while True:
        inner = getattr(module, "_orig_mod", module)
        inner = inner.module if isinstance(inner, nn.DataParallel | nn.parallel.DistributedDataParallel) else inner
        if inner is module:
            return module
        module = inner


def record(
    module: nn.Module, inputs: Sequence[Any], named: Mapping[str, Any] | None = None, *, training: bool = False
) -> Tape:
    """The forward of ``module`` in evaluation mode on ``inputs`` and those given by name; in its own if ``training``.

    The module's mode is restored. Gradients are as the caller has set them.

    Raises:
        InputError: if the forward fails, or is compiled to TorchScript.
    """
    if isinstance(module, torch.jit.ScriptModule):
        raise InputError("the model is compiled to TorchScript, which hides its operations; give the nn.Module")
    recorder = _Recorder(module)
    given = tree_map(recorder.enter, (tuple(inputs), dict(named or {})))
    # Loading the compiler takes seconds; nothing is compiled where it is not loaded.
    compiled = torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()
    with nullcontext() if training else evaluating(module), recorder.named_calls(), compiled:
        try:
            with recorder:
                output = module(*given[0], **given[1])
        except InputError:
            raise
        except Exception as problem:
            reason = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
            shapes = ", ".join(str(tuple(one.shape)) for one in tree_leaves(given) if isinstance(one, Tensor))
            raise InputError(f"the network cannot take inputs of shape {shapes}: {reason}") from problem
    numbers = [n for leaf in outputs_of(output) if (n := recorder.number(leaf)) is not None]
    return Tape(
        list(range(recorder.entered)),
        recorder.ops,
        recorder.values,
        output,
        numbers[0] if numbers else -1,
        recorder.origins,
        frozenset(name for name, _ in module.named_buffers(remove_duplicate=False)),
    )


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """The module in evaluation mode; every part's own mode afterwards."""
    training = [part for part in module.modules() if part.training]
    try:
        for part in training:
            part.training = False
        yield
    finally:
        for part in training:
            part.training = True


def outputs_of(output: Any) -> list[Tensor]:
    """The tensors that a module gave for its examples, the one with the logits first."""
    if isinstance(output, Mapping) and isinstance(output.get("logits"), Tensor):
        return [output["logits"]]
    return [leaf for leaf in leaves(output) if isinstance(leaf, Tensor) and leaf.is_floating_point() and leaf.ndim]


class _Recorder(TorchFunctionMode):
    """Sees every call of a PyTorch function."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module, self.ops, self.values, self.entered = module, list[Op](), list[Tensor](), 0
        self.numbers: dict[int, int] = {}
        own = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
        self.origins = {id(tensor): name for name, tensor in reversed(own)}
        # An id is a tensor's own as long as the tensor lives.
        self.alive: list[Any] = [tensor for _, tensor in own]
        self.calls = [""]

    def enter(self, given: Any) -> Any:
        if not isinstance(given, Tensor):
            return given
        self.entered += 1
        self._number(given)
        return given

    def number(self, tensor: Tensor) -> int | None:
        return self.numbers.get(id(tensor))

    @contextmanager
    def named_calls(self) -> Iterator[None]:
        """Knows which submodule runs."""
        names = {id(part): name for name, part in self.module.named_modules()}

        def begin(part: nn.Module, given: object) -> None:
            self.calls.append(names.get(id(part), self.calls[-1]))

        def end(part: nn.Module, given: object, output: object) -> None:
            self.calls.pop()

        handles = []
        for part in self.module.modules():
            handles.append(part.register_forward_pre_hook(begin, prepend=True))
            handles.append(part.register_forward_hook(end, always_call=True))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.multi_head_attention_forward:
            return self._attend(*args, **kwargs)
        return self._do(func, getattr(func, "__name__", str(func)), args, kwargs)

    def _do(self, func: Any, name: str, args: Any, kwargs: Any) -> Any:
        if name == "__get__":  # of a property, such as x.T
            name = getattr(func.__self__, "__name__", name)
        changed = args[0] if args and _changes_its_argument(func, name, args, kwargs) else None
        before = self._filed((args, kwargs))
        if isinstance(changed, Tensor):
            number, kept = self.number(changed), changed.clone()
            if number is None:
                before = (kept, *before[0][1:]), before[1]
            else:
                self.values[number] = kept
            result, results, func = func(*args, **kwargs), [changed], _leaving_its_argument(func, name)
        else:
            result = func(*args, **kwargs)
            results = tensors(result)
        depends = any(isinstance(leaf, Ref) for leaf in leaves(before))
        if depends and (results or name in READ_OUT):
            numbers = tuple(self._number(tensor) for tensor in results)
            self.ops.append(Op(func, name, before[0], before[1], numbers, self.calls[-1]))
        elif results and not depends:
            origin = next((o for leaf in leaves(before) if (o := self.origins.get(id(leaf)))), "")
            if origin:
                self.alive += results
                self.origins |= {id(tensor): self.origins.get(id(tensor), origin) for tensor in results}
        return result

    def _filed(self, given: Any) -> Any:
        return mapped(given, lambda leaf: Ref(self.numbers[id(leaf)]) if id(leaf) in self.numbers else leaf)

    def _number(self, tensor: Tensor) -> int:
        self.alive.append(tensor)
        self.numbers[id(tensor)] = len(self.values)
        self.values.append(tensor)
        return len(self.values) - 1

    def _attend(self, *args: Any, **kwargs: Any) -> Any:
        """Attention and the projection behind it as two operations: units are the heads, which the second one reads."""
        given = inspect.signature(F.multi_head_attention_forward).bind(*args, **kwargs)
        weight, bias = given.arguments["out_proj_weight"], given.arguments["out_proj_bias"]
        given.arguments["out_proj_weight"] = torch.eye(len(weight), dtype=weight.dtype, device=weight.device)
        given.arguments["out_proj_bias"] = None
        heads, *rest = self._do(F.multi_head_attention_forward, "multi_head_attention", given.args, given.kwargs)
        return self._do(F.linear, "linear", (heads, weight, bias), {}), *rest


def _leaving_its_argument(func: Callable[..., Any], name: str) -> Callable[..., Tensor]:
    """What gives the result of ``func``, which changes its first argument, and leaves it as it is."""
    twin = getattr(Tensor, name.removesuffix("_"), None)
    if name.endswith("_") and not name.endswith("__") and twin is not None:
        return twin

    place = _place_of_inplace(func)
    if place is not None:  # such as relu(x, inplace=True)
        return lambda *args, **kwargs: func(*args[:place], **{**kwargs, "inplace": False})

    def outside(first: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        changed = first.clone()
        func(changed, *args, **kwargs)
        return changed

    return outside


def _changes_its_argument(func: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    if name in CHANGES_SELF or (name.endswith("_") and not name.endswith("__")):
        return True
    place = _place_of_inplace(func)
    return place is not None and bool(kwargs.get("inplace", len(args) > place and args[place]))


@lru_cache(maxsize=1024)
def _place_of_inplace(func: Any) -> int | None:
    if not inspect.isfunction(func):
        return None
    names = list(inspect.signature(func).parameters)
    return names.index("inplace") if "inplace" in names else None
