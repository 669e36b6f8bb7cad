"""Many arrays by their addresses: to hand over an array object for each would take as long as a small kernel does."""

from typing import Annotated, Any, get_type_hints

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

Bytes = Annotated[np.ndarray, np.uint8]
Shorts = Annotated[np.ndarray, np.uint16]
Ints = Annotated[np.ndarray, np.int32]
Longs = Annotated[np.ndarray, np.int64]
Words = Annotated[np.ndarray, np.uint64]
Floats = Annotated[np.ndarray, np.float32]


def addresses(arrays: tuple[np.ndarray | int, ...]) -> np.ndarray:
    """Of a named tuple of contiguous arrays, which must stay alive, and numbers: what :func:`taker` takes it from."""
    pairs = [(one, 0) if isinstance(one, int) else (one.ctypes.data, one.size) for one in arrays]
    return np.array(pairs, np.int64).ravel()


def taker(kind: type) -> Any:
    """For kernels: a function of :func:`addresses` that returns a named tuple of the class ``kind``.

    Its annotations say of what type each array is.
    """
    hints = get_type_hints(kind, include_extras=True)
    fields = [None if hint is int else np.dtype(hint.__metadata__[0]) for hint in hints.values()]
    kinds = [types.intp if dtype is None else types.Array(numba.from_dtype(dtype), 1, "C") for dtype in fields]
    result = types.NamedTuple(kinds, kind)

    def take(typing_context: Any, memory: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pairs, taken = context.make_array(signature.args[0])(context, builder, arguments[0]).data, []
            for number, (field, its) in enumerate(zip(fields, kinds, strict=True)):
                start = builder.gep(pairs, [context.get_constant(types.intp, 2 * number)])
                address, size = (
                    builder.load(start),
                    builder.load(builder.gep(start, [context.get_constant(types.intp, 1)])),
                )
                if field is None:
                    taken.append(address)
                    continue
                array, step = (
                    context.make_array(its)(context, builder),
                    context.get_constant(types.intp, field.itemsize),
                )
                data = builder.inttoptr(address, array.data.type)
                populate_array(array, data=data, shape=[size], strides=[step], itemsize=step, meminfo=None)
                taken.append(array._getvalue())
            return context.make_tuple(builder, signature.return_type, taken)

        return result(memory), generate

    return intrinsic(take)
