"""Vectors to scalars and back: sums across lanes, many dot products at once, matrix products, transposition."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils

from karikomi.engines.kernels.vector import FLOAT, INT, LANES, address, call, intrinsic, pick, read, spread, write


def _add_up(builder: Any, vector: Any) -> Any:
    signature = ir.FunctionType(FLOAT, [FLOAT, vector.type])
    name = f"llvm.vector.reduce.fadd.v{vector.type.count}f32"
    function = cgutils.get_or_insert_function(builder.module, signature, name)
    return builder.call(function, [ir.Constant(FLOAT, -0.0), vector], fastmath=["reassoc"])


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
        integers = ir.VectorType(INT, vector.type.count)
        reduction = f"llvm.vector.reduce.or.v{vector.type.count}i32"
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(INT, [integers]), reduction)
        bits = builder.call(function, [builder.bitcast(vector, integers)])
        return builder.icmp_unsigned("!=", bits, ir.Constant(INT, 0))

    return types.boolean(vector), generate


# A register of AVX2, or of AVX-512: dot products add up in as many partial sums.
_REGISTER = 16 if binding.get_host_cpu_features().get("avx512f") else 8


def _partial_sums(builder: Any, parts: Sequence[Any], pointers: Sequence[Any]) -> list[Any]:
    """Of several dot products at once, two chains each: a chain of multiply-adds alone would wait for its links."""
    chains: list[list[Any]] = [[], []]
    for number, part in enumerate(parts):
        start, chain = ir.Constant(INT, number * _REGISTER), number % 2
        others = [read(builder, builder.gep(pointer, [start]), _REGISTER) for pointer in pointers]
        if chains[chain]:
            sums = zip(others, chains[chain], strict=True)
            chains[chain] = [call(builder, "fma", part, other, total) for other, total in sums]
        else:
            chains[chain] = [builder.fmul(part, other) for other in others]
    return [builder.fadd(one, other) for one, other in zip(*chains, strict=True)]


def _registers(builder: Any, block: Any) -> list[Any]:
    return [pick(builder, block, block, range(start, start + _REGISTER)) for start in range(0, LANES, _REGISTER)]


def _halve(builder: Any, one: Any, other: Any) -> Any:
    """Sums of neighbours within 128 bits, which no processor has to move further: one's, other's, alternately."""
    lanes, even = one.type.count, []
    for start in range(0, lanes, 4):
        even += [start, start + 2, lanes + start, lanes + start + 2]
    return builder.fadd(pick(builder, one, other, even), pick(builder, one, other, [lane + 1 for lane in even]))


def _lane_sums(builder: Any, vectors: Sequence[Any]) -> Any:
    """The sum of each vector's lanes, of one, two or four vectors."""
    many = len(vectors)
    while len(vectors) > 1:
        vectors = [_halve(builder, one, other) for one, other in zip(vectors[::2], vectors[1::2], strict=True)]
    left = vectors[0]
    while left.type.count > 4:
        half = left.type.count // 2
        low, high = pick(builder, left, left, range(half)), pick(builder, left, left, range(half, 2 * half))
        left = builder.fadd(low, high)
    while left.type.count > many:
        even = range(0, left.type.count, 2)
        left = builder.fadd(pick(builder, left, left, even), pick(builder, left, left, [lane + 1 for lane in even]))
    return left


def _dot_adder(many: int) -> Any:
    @intrinsic
    def add_dots(typing_context, block, others, origin, index, link, sums, place):
        def generate(context, builder, signature, arguments):
            block, others, origin, index, link, sums, place = arguments
            kinds, pointers = signature.args, []
            for number in range(many):
                entry = builder.add(link, ir.Constant(link.type, number))
                offset = builder.load(address(context, builder, kinds[3], index, entry))
                offset = builder.add(origin, context.cast(builder, offset, kinds[3].dtype, types.intp))
                pointers.append(address(context, builder, kinds[1], others, offset))
            dots = _lane_sums(builder, _partial_sums(builder, _registers(builder, block), pointers))
            target = address(context, builder, kinds[5], sums, place)
            write(builder, target, builder.fadd(read(builder, target, many), dots))
            return context.get_dummy_value()

        whole = types.intp
        return types.void(block, others, whole, index, whole, sums, whole), generate

    return add_dots


add_dot, add_2_dots, add_4_dots = _dot_adder(1), _dot_adder(2), _dot_adder(4)
"""The product of ``block`` with the 64 values of ``others`` at ``origin + index[link]``, summed, is added to
``sums[place]``; the same for the links that follow. The reductions of four cost little more than one."""

# Rows of a dense product held in registers at once, beside what they are multiplied with.
DENSE_ROWS = 12 if _REGISTER == 16 else 6


@contextmanager
def _rolled_range(builder: Any, begin: Any, end: Any) -> Iterator[Any]:
    """A loop that LLVM must not unroll: it would interleave two rounds and run out of registers."""
    before, body, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
    builder.cbranch(builder.icmp_signed("<", begin, end), body, after)
    builder.position_at_end(body)
    index = builder.phi(begin.type)
    yield index
    following = builder.add(index, ir.Constant(begin.type, 1))
    index.add_incoming(begin, before)
    index.add_incoming(following, builder.block)
    branch = builder.cbranch(builder.icmp_signed("<", following, end), body, after)
    hint = builder.module.add_metadata([ir.MetaDataString(builder.module, "llvm.loop.unroll.disable")])
    loop = ir.MDValue(builder.module, [hint], name=str(len(builder.module.metadata)))
    # LLVM knows a loop's hints by a node that names itself.
    loop.operands = (loop, hint)
    branch.set_metadata("llvm.loop", loop)
    builder.position_at_end(after)


@intrinsic
def add_products(typing_context, left, start, rows, steps, right, origin, strides, numbers, span, sums, place, width):
    """A piece of a matrix product, DENSE_ROWS by 16 columns.

    ``sums[place + r * width + c] += Σ left[start + r * rows + n * steps] * right[origin + n * strides + c]`` over the
    ``numbers`` n in ``span``, from its first place to before its last.
    """

    def generate(context, builder, signature, arguments):
        left, start, rows, steps, right, origin, strides, numbers, span, sums, place, width = arguments
        kinds = signature.args
        begin, end = builder.extract_value(span, 0), builder.extract_value(span, 1)

        def row(base: Any, stride: Any, number: int) -> Any:
            return builder.add(base, builder.mul(stride, ir.Constant(stride.type, number)))

        targets = [address(context, builder, kinds[9], sums, row(place, width, r)) for r in range(DENSE_ROWS)]
        starts = [row(start, rows, r) for r in range(DENSE_ROWS)]
        totals = [cgutils.alloca_once_value(builder, read(builder, target, 16)) for target in targets]
        with _rolled_range(builder, begin, end) as index:
            number = builder.load(address(context, builder, kinds[7], numbers, index))
            number = context.cast(builder, number, kinds[7].dtype, types.intp)
            place = builder.add(origin, builder.mul(number, strides))
            values = read(builder, address(context, builder, kinds[4], right, place), 16)
            step = builder.mul(number, steps)
            for total, first in zip(totals, starts, strict=True):
                scalar = builder.load(address(context, builder, kinds[0], left, builder.add(first, step)))
                product = call(builder, "fma", spread(builder, scalar, 16), values, builder.load(total))
                builder.store(product, total)
                # Nothing, but no load may pass it: else LLVM would load all rows first, and run out of registers.
                builder.asm(ir.FunctionType(ir.VoidType(), []), "", "~{memory}", [], True)
        for total, target in zip(totals, targets, strict=True):
            write(builder, target, builder.load(total))
        return context.get_dummy_value()

    whole = types.intp
    kinds = (left, whole, whole, whole, right, whole, whole, numbers, types.UniTuple(whole, 2), sums, whole, whole)
    return types.void(*kinds), generate


@intrinsic
def transpose16(typing_context, source, starts, first, offset, target, places, place, shift, scale):
    """A square of 16 rows of 16 values, read by rows, written by columns as float32 times ``scale``.

    Row r is read at ``starts[first + r] + offset``; column c is written at ``places[place + c] + shift``.
    """

    def generate(context, builder, signature, arguments):
        source, starts, first, offset, target, places, place, shift, scale = arguments
        kinds = signature.args

        def entry(table: Any, kind: Any, start: Any, number: int) -> Any:
            index = builder.add(start, ir.Constant(start.type, number))
            return context.cast(
                builder, builder.load(address(context, builder, kind, table, index)), kind.dtype, types.intp
            )

        def row(number: int) -> Any:
            start = builder.add(entry(starts, kinds[1], first, number), offset)
            return read(builder, address(context, builder, kinds[0], source, start), 16)

        rows = [row(number) for number in range(16)]
        low = [lane // 2 + 16 * (lane % 2) for lane in range(16)]
        for _ in range(4):
            # Each round moves one bit of the row's number into the lane's.
            rows = [pick(builder, rows[i // 2], rows[i // 2 + 8], [8 * (i % 2) + k for k in low]) for i in range(16)]
        factor = spread(builder, scale, 16)
        for c, column in enumerate(rows):
            if column.type != factor.type:
                column = builder.uitofp(column, factor.type)
            start = builder.add(entry(places, kinds[5], place, c), shift)
            write(builder, address(context, builder, kinds[4], target, start), builder.fmul(column, factor))
        return context.get_dummy_value()

    whole = types.intp
    return types.void(source, starts, whole, whole, target, places, whole, whole, types.float32), generate
