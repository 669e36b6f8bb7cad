"""LLVM vectors of float32 as Numba values.

A vector holds one quantity of several examples, its lanes: 64 for a whole block of examples, 16 for a quarter of one.
LLVM lowers them to what the processor has (AVX-512, AVX2, NEON). Plain Numba loops over the same arrays reach about
half the speed; Numba's indexing, which provides for negative indices, would cost a third of what is left.

Arrays are one-dimensional; offsets count elements from the start and are not checked.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numba
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

LANES = 64
"""Examples in one block."""

# Without reference counts: they would be two atomic additions for every array of every argument of every call.
kernel: Callable[[Callable[..., Any]], Any] = numba.njit(
    cache=True, nogil=True, boundscheck=False, error_model="numpy", fastmath={"contract"}, _nrt=False
)

_FLOAT = ir.FloatType()
_INT = ir.IntType(32)


class Vector(types.Type):
    """``lanes`` values of float32."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        super().__init__(name=f"float32x{lanes}")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, vector: Vector) -> None:
        super().__init__(manager, vector, ir.VectorType(_FLOAT, vector.lanes))


VECTORS = {lanes: Vector(lanes) for lanes in (4, 16, 64)}


def _address(context: Any, builder: Any, array_type: Any, array: Any, offset: Any) -> Any:
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [offset])


def _read(builder: Any, pointer: Any, lanes: int) -> Any:
    element = pointer.type.pointee
    value = builder.load(builder.bitcast(pointer, ir.VectorType(element, lanes).as_pointer()))
    value.align = 4 if element == _FLOAT else 1
    return value


def _write(builder: Any, pointer: Any, value: Any) -> None:
    builder.store(value, builder.bitcast(pointer, value.type.as_pointer())).align = 4


def _spread(builder: Any, scalar: Any, lanes: int) -> Any:
    undefined = ir.Constant(ir.VectorType(scalar.type, lanes), ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(_INT, 0))
    return _pick(builder, first, undefined, [0] * lanes)


def _pick(builder: Any, one: Any, other: Any, lanes: Sequence[int]) -> Any:
    return builder.shuffle_vector(one, other, ir.Constant(ir.VectorType(_INT, len(lanes)), list(lanes)))


def _call(builder: Any, name: str, *operands: Any) -> Any:
    kind = operands[0].type
    signature = ir.FunctionType(kind, [operand.type for operand in operands])
    function = cgutils.get_or_insert_function(builder.module, signature, f"llvm.{name}.v{kind.count}f32")
    return builder.call(function, operands)


def _add_up(builder: Any, vector: Any) -> Any:
    signature = ir.FunctionType(_FLOAT, [_FLOAT, vector.type])
    name = f"llvm.vector.reduce.fadd.v{vector.type.count}f32"
    function = cgutils.get_or_insert_function(builder.module, signature, name)
    return builder.call(function, [ir.Constant(_FLOAT, -0.0), vector], fastmath=["reassoc"])


# Memory.


@intrinsic
def at(typing_context, array, offset):
    """The element at ``offset``; whole numbers come back as intp."""
    integer = isinstance(array.dtype, types.Integer)
    result = types.intp if integer else array.dtype

    def generate(context, builder, signature, arguments):
        value = builder.load(_address(context, builder, signature.args[0], arguments[0], arguments[1]))
        return context.cast(builder, value, signature.args[0].dtype, result)

    return result(array, types.intp), generate


def _loader(lanes: int) -> Any:
    @intrinsic
    def load(typing_context, array, offset):
        def generate(context, builder, signature, arguments):
            return _read(builder, _address(context, builder, signature.args[0], *arguments), lanes)

        return VECTORS[lanes](array, types.intp), generate

    return load


load16, load64 = _loader(16), _loader(64)


@intrinsic
def store(typing_context, array, offset, vector):
    def generate(context, builder, signature, arguments):
        array, offset, vector = arguments
        _write(builder, _address(context, builder, signature.args[0], array, offset), vector)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@intrinsic
def prefetch(typing_context, array, offset):
    """Ask for the cache line at ``offset``, to be read soon."""

    def generate(context, builder, signature, arguments):
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, _INT, _INT, _INT])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        address = builder.bitcast(_address(context, builder, signature.args[0], *arguments), byte)
        # Read, keep in the second-level cache, data.
        builder.call(function, [address, ir.Constant(_INT, 0), ir.Constant(_INT, 2), ir.Constant(_INT, 1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


def _spreader(lanes: int) -> Any:
    @intrinsic
    def splat(typing_context, scalar):
        def generate(context, builder, signature, arguments):
            return _spread(builder, arguments[0], lanes)

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
square_root = _elementwise(1, lambda builder, a: _call(builder, "sqrt", a))
multiply_add = _elementwise(3, lambda builder, a, b, c: _call(builder, "fma", a, b, c))
"""a · b + c"""


def _choose(comparison: str) -> Callable[..., Any]:
    def emit(builder: Any, a: Any, b: Any, yes: Any, no: Any) -> Any:
        return builder.select(builder.fcmp_ordered(comparison, a, b), yes, no)

    return emit


_greater = _choose(">")
_greater = _choose(">")
larger = _elementwise(2, lambda builder, a, b: _greater(builder, b, a, b, a))
"""The larger one; NaN where ``a`` is NaN."""
where_positive = _elementwise(
    3, lambda builder, a, yes, no: _greater(builder, a, ir.Constant(a.type, [0.0] * a.type.count), yes, no)
)
"""``yes`` where a > 0, else ``no``."""
absolute = _elementwise(1, lambda builder, a: _call(builder, "fabs", a))
with_sign = _elementwise(2, lambda builder, a, sign: _call(builder, "copysign", a, sign))



def _power_of_two(builder: Any, shifted: Any, value: Any) -> Any:
    integers = ir.VectorType(_INT, value.type.count)
    exponent = builder.shl(builder.bitcast(shifted, integers), ir.Constant(integers, [23] * value.type.count))
    return builder.bitcast(builder.add(builder.bitcast(value, integers), exponent), value.type)


times_power_of_two = _elementwise(2, lambda builder, value, shifted: _power_of_two(builder, shifted, value))
"""value · 2^n, where ``shifted`` is n + 1.5 · 2^23 so that its lowest bits hold n."""

# Across lanes.


@intrinsic
def total(typing_context, vector):
    """The sum of all lanes."""

    def generate(context, builder, signature, arguments):
        return _add_up(builder, arguments[0])

    return types.float32(vector), generate


@intrinsic
def any_bit(typing_context, vector):
    """Whether some lane is not (positive) zero."""

    def generate(context, builder, signature, arguments):
        vector = arguments[0]
        integers = ir.VectorType(_INT, vector.type.count)
        reduction = f"llvm.vector.reduce.or.v{vector.type.count}i32"
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(_INT, [integers]), reduction)
        bits = builder.call(function, [builder.bitcast(vector, integers)])
        return builder.icmp_unsigned("!=", bits, ir.Constant(_INT, 0))

    return types.boolean(vector), generate


# A register of AVX2, or of AVX-512: dot products add up in as many partial sums.
_REGISTER = 16 if binding.get_host_cpu_features().get("avx512f") else 8


def _partial_sums(builder: Any, parts: Sequence[Any], pointer: Any) -> Any:
    accumulator = None
    for number, part in enumerate(parts):
        other = _read(builder, builder.gep(pointer, [ir.Constant(_INT, number * _REGISTER)]), _REGISTER)
        accumulator = builder.fmul(part, other) if accumulator is None else _call(builder, "fma", part, other, accumulator)
    return accumulator


def _registers(builder: Any, block: Any) -> list[Any]:
    return [_pick(builder, block, block, range(start, start + _REGISTER)) for start in range(0, LANES, _REGISTER)]


def _halve(builder: Any, one: Any, other: Any) -> Any:
    """Sums of neighbours within 128 bits, which no processor has to move further: one's, other's, alternately."""
    lanes, even = one.type.count, []
    for start in range(0, lanes, 4):
        even += [start, start + 2, lanes + start, lanes + start + 2]
    return builder.fadd(
        _pick(builder, one, other, even), _pick(builder, one, other, [lane + 1 for lane in even])
    )


def _dot_adder(many: int) -> Any:
    @intrinsic
    def add_dots(typing_context, block, others, origin, index, link, sums, place):
        def generate(context, builder, signature, arguments):
            block, others, origin, index, link, sums, place = arguments
            kinds, parts, partial = signature.args, _registers(builder, block), []
            for number in range(many):
                entry = builder.add(link, ir.Constant(link.type, number))
                offset = builder.load(_address(context, builder, kinds[3], index, entry))
                offset = builder.add(origin, context.cast(builder, offset, kinds[3].dtype, types.intp))
                partial.append(_partial_sums(builder, parts, _address(context, builder, kinds[1], others, offset)))
            while len(partial) > 1:
                partial = [_halve(builder, one, other) for one, other in zip(partial[::2], partial[1::2], strict=True)]
            left = partial[0]
            while left.type.count > 4:
                half = left.type.count // 2
                low, high = _pick(builder, left, left, range(half)), _pick(builder, left, left, range(half, 2 * half))
                left = builder.fadd(low, high)
            while left.type.count > many:
                even = range(0, left.type.count, 2)
                odd = [lane + 1 for lane in even]
                left = builder.fadd(_pick(builder, left, left, even), _pick(builder, left, left, odd))
            address = _address(context, builder, kinds[5], sums, place)
            _write(builder, address, builder.fadd(_read(builder, address, many), left))
            return context.get_dummy_value()

        whole = types.intp
        return types.void(block, others, whole, index, whole, sums, whole), generate

    return add_dots


add_dot, add_2_dots, add_4_dots = _dot_adder(1), _dot_adder(2), _dot_adder(4)
"""The product of ``block`` with the 64 values of ``others`` at ``origin + index[link]``, summed, is added to
``sums[place]``; the same for the one or three links that follow. The reductions of four cost little more than one."""

# Rows of a dense product held in registers at once.
DENSE_ROWS = 12 if _REGISTER == 16 else 4


@contextmanager
def _rolled_range(builder: Any, count: Any) -> Iterator[Any]:
    """A loop that LLVM must not unroll: it would interleave two rounds and run out of registers."""
    before, body, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
    builder.cbranch(builder.icmp_signed(">", count, ir.Constant(count.type, 0)), body, after)
    builder.position_at_end(body)
    index = builder.phi(count.type)
    yield index
    following = builder.add(index, ir.Constant(count.type, 1))
    index.add_incoming(ir.Constant(count.type, 0), before)
    index.add_incoming(following, builder.block)
    branch = builder.cbranch(builder.icmp_signed("<", following, count), body, after)
    hint = builder.module.add_metadata([ir.MetaDataString(builder.module, "llvm.loop.unroll.disable")])
    loop = ir.MDValue(builder.module, [hint], name=str(len(builder.module.metadata)))
    # LLVM knows a loop's hints by a node that names itself.
    loop.operands = (loop, hint)
    branch.set_metadata("llvm.loop", loop)
    builder.position_at_end(after)


@intrinsic
def add_products(typing_context, left, start, rows, steps, right, origin, strides, numbers, many, sums, place, width):
    """A piece of a matrix product, DENSEDENSE_ROWS by 16 columns.

    ``sums[place + r * width + c] += Σ left[start + r * rows + n * steps] * right[origin + n * strides + c]`` over the
    first ``many`` of the ``numbers`` n.
    """

    def generate(context, builder, signature, arguments):
        left, start, rows, steps, right, origin, strides, numbers, many, sums, place, width = arguments
        kinds = signature.args

        def row(base: Any, stride: Any, number: int) -> Any:
            return builder.add(base, builder.mul(stride, ir.Constant(stride.type, number)))

        targets = [_address(context, builder, kinds[9], sums, row(place, width, r)) for r in range(DENSE_ROWS)]
        starts = [row(start, rows, r) for r in range(DENSE_ROWS)]
        totals = [cgutils.alloca_once_value(builder, _read(builder, target, 16)) for target in targets]
        with _rolled_range(builder, many) as index:
            number = builder.load(_address(context, builder, kinds[7], numbers, index))
            number = context.cast(builder, number, kinds[7].dtype, types.intp)
            place = builder.add(origin, builder.mul(number, strides))
            values = _read(builder, _address(context, builder, kinds[4], right, place), 16)
            step = builder.mul(number, steps)
            for total, first in zip(totals, starts, strict=True):
                scalar = builder.load(_address(context, builder, kinds[0], left, builder.add(first, step)))
                product = _call(builder, "fma", _spread(builder, scalar, 16), values, builder.load(total))
                builder.store(product, total)
        for total, target in zip(totals, targets, strict=True):
            _write(builder, target, builder.load(total))
        return context.get_dummy_value()

    whole = types.intp
    kinds = (left, whole, whole, whole, right, whole, whole, numbers, whole, sums, whole, whole)
    return types.void(*kinds), generate


@intrinsic
def transpose16(typing_context, source, starts, first, offset, target, places, place, shift, scale):
    """A square of 16 rows of 16 values, read by rows, written by columns as float32 times ``scale``.

    Row r is read at ``starts[first + r] + offset``; column c is written at ``places[place + c] + shift``.
    """

    def generate(context, builder, signature, arguments):
        source, starts, first, offset, target, places, place, shift, scale = arguments

        def address(array: int, base: Any, table: int, index: Any, number: int, extra: Any) -> Any:
            index = builder.add(index, ir.Constant(index.type, number))
            entry = builder.load(_address(context, builder, signature.args[table], arguments[table], index))
            entry = context.cast(builder, entry, signature.args[table].dtype, types.intp)
            return _address(context, builder, signature.args[array], base, builder.add(entry, extra))

        rows = [_read(builder, address(0, source, 1, first, r, offset), 16) for r in range(16)]
        low = [lane // 2 + 16 * (lane % 2) for lane in range(16)]
        for _ in range(4):
            # Each round moves one bit of the row's number into the lane's.
            rows = [_pick(builder, rows[i // 2], rows[i // 2 + 8], [8 * (i % 2) + k for k in low]) for i in range(16)]
        factor = _spread(builder, scale, 16)
        for c, column in enumerate(rows):
            if column.type != factor.type:
                column = builder.uitofp(column, factor.type)
            _write(builder, address(4, target, 5, place, c, shift), builder.fmul(column, factor))
        return context.get_dummy_value()

    whole = types.intp
    return types.void(source, starts, whole, whole, target, places, whole, whole, types.float32), generate
