"""LLVM vectors of float32 as Numba values.

A vector holds one quantity of several examples, its lanes: 64 for a whole block of examples, 16 for a quarter of one.
LLVM lowers them to what the processor has (AVX-512, AVX2, NEON). Plain Numba loops over the same arrays reach about
half the speed; Numba's indexing, which provides for negative indices, would cost a third of what is left.

Arrays are one-dimensional; offsets count elements from the start and are not checked.
"""

import operator
import os
import zlib
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from types import CellType, FunctionType
from typing import Any, NamedTuple

import numba
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic as _intrinsic
from numba.extending import lower_builtin, models, register_model, type_callable

LANES = 64
"""Examples in one block."""

# What NUMBA_CPU_FEATURES allows counts, so that a machine with AVX-512 can show what AVX2 alone would give.
_FEATURES = os.environ.get("NUMBA_CPU_FEATURES") or binding.get_host_cpu_features().flatten()
REGISTER = 16 if "+avx512f" in _FEATURES.split(",") else 8
"""Lanes of one of the processor's registers: of AVX-512 or AVX2."""

_SOURCES = zlib.crc32(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))))


def kernel(function: Callable[..., Any]) -> Any:
    """``function`` compiled on first use and kept on disk, to run without the interpreter's lock.

    Numba's cache looks at a function's own file and would miss a change in what it calls; here the sources of all
    kernels are a variable in its closure, which the cache compares too.
    """
    closure = (CellType(_SOURCES),)
    code = function.__code__.replace(co_freevars=("sources",))
    kept = FunctionType(code, function.__globals__, function.__name__, function.__defaults__, closure)
    kept.__doc__, kept.__module__ = function.__doc__, function.__module__
    # Reference counts would be two atomic additions for every array of every argument of every call.
    options: dict[str, Any] = {"cache": True, "nogil": True, "boundscheck": False, "_nrt": False}
    return numba.njit(error_model="numpy", fastmath={"contract"}, **options)(kept)


FLOAT = ir.FloatType()
INT = ir.IntType(32)


class Vector(types.Type):
    """``lanes`` values of float32."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        super().__init__(name=f"float32x{lanes}")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, vector: Vector) -> None:
        super().__init__(manager, vector, ir.VectorType(FLOAT, vector.lanes))


VECTORS = {lanes: Vector(lanes) for lanes in (16, 64)}


def _taken(kind: Any) -> Any:
    """As what an intrinsic takes an argument of some type: numbers as intp or float32."""
    if isinstance(kind, types.UniTuple | types.Tuple):
        return types.BaseTuple.from_types([*map(_taken, kind)])
    return types.intp if isinstance(kind, types.Integer) else types.float32 if isinstance(kind, types.Float) else kind


class Array(NamedTuple):
    """An array in the code of an intrinsic."""

    context: Any
    builder: Any
    kind: Any
    value: Any

    def address(self, offset: Any) -> Any:
        """Where the element at ``offset`` is."""
        data = self.context.make_array(self.kind)(self.context, self.builder, self.value).data
        return self.builder.gep(data, [offset])

    def taken(self, element: Any) -> Any:
        """An element that was read; whole numbers become intp."""
        return self.context.cast(self.builder, element, self.kind.dtype, _taken(self.kind.dtype))

    def at(self, offset: Any) -> Any:
        return self.taken(self.builder.load(self.address(offset)))

    def put(self, offset: Any, value: Any) -> None:
        value = self.context.cast(self.builder, value, _taken(self.kind.dtype), self.kind.dtype)
        self.builder.store(value, self.address(offset))


def intrinsic(result: Any = types.void) -> Callable[[Callable[..., Any]], Any]:
    """For a function that writes code: what kernels call to have that code in them.

    It gets an LLVM builder and, for every argument of the call, an :class:`Array` or an LLVM value, and returns an LLVM
    value of the type ``result``, which may depend on the types of the arguments.
    """

    def decorated(write_code: Callable[..., Any]) -> Any:
        @wraps(write_code)
        def typed(typing_context: Any, *given: Any) -> Any:
            kinds = [*map(_taken, given)]

            def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
                values = [
                    Array(context, builder, kind, value) if isinstance(kind, types.Array) else value
                    for kind, value in zip(kinds, arguments, strict=True)
                ]
                value = write_code(builder, *values)
                return context.get_dummy_value() if value is None else value

            return (result if isinstance(result, types.Type) else result(*kinds))(*kinds), generate

        return _intrinsic(typed)

    return decorated


def read(builder: Any, pointer: Any, lanes: int) -> Any:
    element = pointer.type.pointee
    value = builder.load(builder.bitcast(pointer, ir.VectorType(element, lanes).as_pointer()))
    value.align = 4 if element == FLOAT else 1
    return value


def write(builder: Any, pointer: Any, value: Any) -> None:
    builder.store(value, builder.bitcast(pointer, value.type.as_pointer())).align = 4


def spread(builder: Any, scalar: Any, lanes: int) -> Any:
    undefined = ir.Constant(ir.VectorType(scalar.type, lanes), ir.Undefined)
    first = builder.insert_element(undefined, scalar, INT(0))
    return pick(builder, first, undefined, [0] * lanes)


def pick(builder: Any, one: Any, other: Any, lanes: Sequence[int]) -> Any:
    return builder.shuffle_vector(one, other, ir.Constant(ir.VectorType(INT, len(lanes)), list(lanes)))


def call(builder: Any, name: str, *operands: Any) -> Any:
    kind = operands[0].type
    signature = ir.FunctionType(kind, [operand.type for operand in operands])
    function = cgutils.get_or_insert_function(builder.module, signature, f"llvm.{name}.v{kind.count}f32")
    return builder.call(function, operands)


# Memory.


@intrinsic(lambda array, offset: _taken(array.dtype))
def at(builder, array, offset):
    """The element at ``offset``; whole numbers come back as intp."""
    return array.at(offset)


@intrinsic()
def put(builder, array, offset, value):
    """``value`` becomes the element at ``offset``."""
    array.put(offset, value)


@intrinsic()
def put_three(builder, array, offset, first, second, third):
    """They become the elements from ``offset`` on, and the next one 0: at once."""
    four = ir.Constant(ir.VectorType(FLOAT, 4), None)
    for number, value in enumerate((first, second, third)):
        four = builder.insert_element(four, value, INT(number))
    write(builder, array.address(offset), four)


@intrinsic(types.UniTuple(types.float32, 3))
def take_three(builder, array, offset):
    """The elements from ``offset`` on; they and the next one are 0 then."""
    four = read(builder, array.address(offset), 4)
    write(builder, array.address(offset), ir.Constant(four.type, None))
    return cgutils.pack_array(builder, [builder.extract_element(four, INT(number)) for number in range(3)])


def _loader(lanes: int) -> Any:
    return intrinsic(VECTORS[lanes])(lambda builder, array, offset: read(builder, array.address(offset), lanes))


load16, load64 = _loader(16), _loader(64)


@intrinsic()
def store(builder, array, offset, vector):
    write(builder, array.address(offset), vector)


@intrinsic()
def prefetch(builder, array, offset):
    """Ask for the cache line at ``offset``, to be read soon."""
    byte = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [byte, INT, INT, INT])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    # Read, keep in the second-level cache, data.
    builder.call(function, [builder.bitcast(array.address(offset), byte), INT(0), INT(2), INT(1)])


def _spreader(lanes: int) -> Any:
    return intrinsic(VECTORS[lanes])(lambda builder, scalar: spread(builder, scalar, lanes))


splat16, splat64 = _spreader(16), _spreader(64)

filled = intrinsic(lambda vector, scalar: vector)(
    lambda builder, vector, scalar: spread(builder, scalar, vector.type.count)
)
"""A scalar in as many lanes as a vector has."""

# Arithmetic.


def _operator(operation: Any, name: str) -> None:
    type_callable(operation)(lambda context: lambda a, b: a if isinstance(a, Vector) and a == b else None)
    lower_builtin(operation, Vector, Vector)(lambda context, builder, kinds, values: getattr(builder, name)(*values))


_operator(operator.add, "fadd")
_operator(operator.sub, "fsub")
_operator(operator.mul, "fmul")
_operator(operator.truediv, "fdiv")

_elementwise = intrinsic(lambda vector, *others: vector)
square_root = _elementwise(lambda builder, a: call(builder, "sqrt", a))
multiply_add = _elementwise(lambda builder, a, b, c: call(builder, "fma", a, b, c))
"""a · b + c"""


def _greater(builder: Any, a: Any, b: Any, yes: Any, no: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", a, b), yes, no)


larger = _elementwise(lambda builder, a, b: _greater(builder, b, a, b, a))
"""The larger one; NaN where ``a`` is NaN."""
where_positive = _elementwise(
    lambda builder, a, yes, no: _greater(builder, a, ir.Constant(a.type, [0.0] * a.type.count), yes, no)
)
"""``yes`` where a > 0, else ``no``."""
absolute = _elementwise(lambda builder, a: call(builder, "fabs", a))
with_sign = _elementwise(lambda builder, a, sign: call(builder, "copysign", a, sign))


@_elementwise
def times_power_of_two(builder, value, shifted):
    """value · 2^n, where ``shifted`` is n + 1.5 · 2^23 so that its lowest bits hold n."""
    integers = ir.VectorType(INT, value.type.count)
    exponent = builder.shl(builder.bitcast(shifted, integers), ir.Constant(integers, [23] * value.type.count))
    return builder.bitcast(builder.add(builder.bitcast(value, integers), exponent), value.type)
