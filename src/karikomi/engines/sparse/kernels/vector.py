"""LLVM vectors of float32 as Numba values.

A vector holds one quantity of several examples, its lanes: 64 for a whole block of examples, 16 for a quarter of one.
LLVM lowers them to what the processor has (AVX-512, AVX2, NEON). Plain Numba loops over the same arrays reach about
half the speed; Numba's indexing, which provides for negative indices, would cost a third of what is left.

Arrays are one-dimensional; offsets count elements from the start and are not checked.
"""

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import CellType, FunctionType
from typing import Any

import numba
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic as _intrinsic
from numba.extending import models, register_model

LANES = 64
"""Examples in one block."""

REGISTER = 16 if binding.get_host_cpu_features().get("avx512f") else 8
"""Lanes of one of the processor's registers: of AVX-512 or AVX2."""

# What a kernel calls has other parameters than what is defined here, which is only there to generate it.
intrinsic: Any = _intrinsic

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


VECTORS = {lanes: Vector(lanes) for lanes in (4, 16, 64)}


def address(context: Any, builder: Any, array_type: Any, array: Any, offset: Any) -> Any:
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [offset])


def read(builder: Any, pointer: Any, lanes: int) -> Any:
    element = pointer.type.pointee
    value = builder.load(builder.bitcast(pointer, ir.VectorType(element, lanes).as_pointer()))
    value.align = 4 if element == FLOAT else 1
    return value


def write(builder: Any, pointer: Any, value: Any) -> None:
    builder.store(value, builder.bitcast(pointer, value.type.as_pointer())).align = 4


def spread(builder: Any, scalar: Any, lanes: int) -> Any:
    undefined = ir.Constant(ir.VectorType(scalar.type, lanes), ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(INT, 0))
    return pick(builder, first, undefined, [0] * lanes)


def pick(builder: Any, one: Any, other: Any, lanes: Sequence[int]) -> Any:
    return builder.shuffle_vector(one, other, ir.Constant(ir.VectorType(INT, len(lanes)), list(lanes)))


def call(builder: Any, name: str, *operands: Any) -> Any:
    kind = operands[0].type
    signature = ir.FunctionType(kind, [operand.type for operand in operands])
    function = cgutils.get_or_insert_function(builder.module, signature, f"llvm.{name}.v{kind.count}f32")
    return builder.call(function, operands)


# Memory.


@intrinsic
def at(typing_context, array, offset):
    """The element at ``offset``; whole numbers come back as intp."""
    integer = isinstance(array.dtype, types.Integer)
    result = types.intp if integer else array.dtype

    def generate(context, builder, signature, arguments):
        value = builder.load(address(context, builder, signature.args[0], arguments[0], arguments[1]))
        return context.cast(builder, value, signature.args[0].dtype, result)

    return result(array, types.intp), generate


@intrinsic
def put(typing_context, array, offset, value):
    """``value`` becomes the element at ``offset``."""

    def generate(context, builder, signature, arguments):
        array, offset, value = arguments
        kind = signature.args[0]
        value = context.cast(builder, value, signature.args[2], kind.dtype)
        builder.store(value, address(context, builder, kind, array, offset))
        return context.get_dummy_value()

    return types.void(array, types.intp, value), generate


def _loader(lanes: int) -> Any:
    @intrinsic
    def load(typing_context, array, offset):
        def generate(context, builder, signature, arguments):
            return read(builder, address(context, builder, signature.args[0], *arguments), lanes)

        return VECTORS[lanes](array, types.intp), generate

    return load


load16, load64 = _loader(16), _loader(64)


@intrinsic
def store(typing_context, array, offset, vector):
    def generate(context, builder, signature, arguments):
        array, offset, vector = arguments
        write(builder, address(context, builder, signature.args[0], array, offset), vector)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@intrinsic
def prefetch(typing_context, array, offset):
    """Ask for the cache line at ``offset``, to be read soon."""

    def generate(context, builder, signature, arguments):
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, INT, INT, INT])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        line = builder.bitcast(address(context, builder, signature.args[0], *arguments), byte)
        # Read, keep in the second-level cache, data.
        builder.call(function, [line, ir.Constant(INT, 0), ir.Constant(INT, 2), ir.Constant(INT, 1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


def _spreader(lanes: int) -> Any:
    @intrinsic
    def splat(typing_context, scalar):
        def generate(context, builder, signature, arguments):
            return spread(builder, arguments[0], lanes)

        return VECTORS[lanes](types.float32), generate

    return splat


splat16, splat64 = _spreader(16), _spreader(64)

# Arithmetic.


def _elementwise(arity: int, emit: Callable[..., Any]) -> Any:
    """An operation on ``arity`` vectors of one kind, giving another."""

    def generate(context, builder, signature, arguments):
        return emit(builder, *arguments)

    if arity == 1:
        return intrinsic(lambda typing_context, a: (a(a), generate))
    if arity == 2:
        return intrinsic(lambda typing_context, a, b: (a(a, b), generate))
    return intrinsic(lambda typing_context, a, b, c: (a(a, b, c), generate))


add = _elementwise(2, lambda builder, a, b: builder.fadd(a, b))
subtract = _elementwise(2, lambda builder, a, b: builder.fsub(a, b))
multiply = _elementwise(2, lambda builder, a, b: builder.fmul(a, b))
divide = _elementwise(2, lambda builder, a, b: builder.fdiv(a, b))
square_root = _elementwise(1, lambda builder, a: call(builder, "sqrt", a))
multiply_add = _elementwise(3, lambda builder, a, b, c: call(builder, "fma", a, b, c))
"""a · b + c"""


def _choose(comparison: str) -> Callable[..., Any]:
    def emit(builder: Any, a: Any, b: Any, yes: Any, no: Any) -> Any:
        return builder.select(builder.fcmp_ordered(comparison, a, b), yes, no)

    return emit


_greater = _choose(">")
larger = _elementwise(2, lambda builder, a, b: _greater(builder, b, a, b, a))
"""The larger one; NaN where ``a`` is NaN."""
where_positive = _elementwise(
    3, lambda builder, a, yes, no: _greater(builder, a, ir.Constant(a.type, [0.0] * a.type.count), yes, no)
)
"""``yes`` where a > 0, else ``no``."""
absolute = _elementwise(1, lambda builder, a: call(builder, "fabs", a))
with_sign = _elementwise(2, lambda builder, a, sign: call(builder, "copysign", a, sign))


def _power_of_two(builder: Any, shifted: Any, value: Any) -> Any:
    integers = ir.VectorType(INT, value.type.count)
    exponent = builder.shl(builder.bitcast(shifted, integers), ir.Constant(integers, [23] * value.type.count))
    return builder.bitcast(builder.add(builder.bitcast(value, integers), exponent), value.type)


times_power_of_two = _elementwise(2, lambda builder, value, shifted: _power_of_two(builder, shifted, value))
"""value · 2^n, where ``shifted`` is n + 1.5 · 2^23 so that its lowest bits hold n."""
