"""Models written as ONNX, which other programs and languages run."""

import logging
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from karikomi.errors import InputError
from karikomi.networks.samples import first_tensor, inputs_of, some_examples
from karikomi.networks.tape import evaluating, outputs_of, unwrapped
from karikomi.runs.files import write_whole


class _Outputs(nn.Module):
    """A model that gives its outputs as tensors alone; of a mapping with ``logits`` these."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[Tensor, ...]:
        return tuple(outputs_of(self.model(*given, **named)))


def export(model: nn.Module, x: Any, path: str | Path) -> Path:
    """Write a model in evaluation mode as an ONNX file, such as a small one of :func:`karikomi.shrink`.

    Needs the extra ``onnx``: ``pip install 'karikomi[onnx]'``. The file takes any number of examples of the shape of
    those in ``x``.

    Args:
        model: any module that ``torch.export`` takes.
        x: an input or several, as the model takes it, in order or by name.
        path: where; an older file is replaced at once by the whole new one.

    Returns:
        The path.

    Raises:
        InputError: if the extra is not installed, or the model or the file cannot be written.

    >>> from karikomi.networks.mlp import mlp
    >>> export(mlp((4,), (5,), 2), torch.zeros(3, 4), "small.onnx")  # doctest: +SKIP
    PosixPath('small.onnx')
    """
    if not (find_spec("onnx") and find_spec("onnxscript")):
        raise InputError("ONNX files need more packages: pip install 'karikomi[onnx]'")
    whole = unwrapped(model)
    # Of a single example the exporter would take its number to be fixed.
    args, named = some_examples(inputs_of(x, first_tensor(whole)), 3)
    given = {"given": args, "named": named}
    many = {0: torch.export.Dim.AUTO}
    any_number = tree_map(lambda one: many if isinstance(one, Tensor) and one.ndim else None, given)
    logging.disable(logging.WARNING)  # about packages that are not installed
    try:
        with warnings.catch_warnings(), evaluating(whole):
            warnings.simplefilter("ignore")
            made = torch.onnx.export(
                _Outputs(whole), kwargs=given, dynamo=True, dynamic_shapes=any_number, verbose=False
            )
        assert made is not None, "with dynamo"
        content = made.model_proto.SerializeToString()
    except Exception as problem:
        reason = str(problem.__cause__ or problem).strip().splitlines() or [type(problem).__name__]
        raise InputError(f"the model cannot be written as ONNX: {reason[0]}") from problem
    finally:
        logging.disable(logging.NOTSET)
    try:
        write_whole(Path(path), content)
    except OSError as problem:
        raise InputError(f"cannot write {path}: {problem.strerror}") from problem
    return Path(path)
