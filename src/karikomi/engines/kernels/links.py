"""The links of a sparse layer, visited one after the other: sums over links, and dot products for each link."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from karikomi.engines.kernels.vector import (
    FLOAT,
    INT,
    LANES,
    REGISTER,
    address,
    call,
    intrinsic,
    pick,
    read,
    spread,
    write,
)

# Links whose partners, and weights, are read at once: loads are what visiting links is short of.
TOGETHER = 4
# Rows of a sparse layer whose sums are in registers at once, so that an input that several of them read is loaded once.
GROUP = 4 if REGISTER == 16 else 1
# Which rows of a group read an input: the units in each list of links.
PATTERNS = [tuple(row for row in range(GROUP) if bits >> row & 1) for bits in range(1, 1 << GROUP)]


def _partners(context: Any, builder: Any, kind: Any, index: Any, link: Any, many: int) -> list[Any]:
    """Where, counted from the first unit, the units at ``index[link]`` and the entries that follow start."""
    entries = address(context, builder, kind, index, link)
    if kind.dtype == types.uint8 and many > 1:
        word = builder.load(builder.bitcast(entries, ir.IntType(8 * many).as_pointer()))
        word.align = 1
        parts = [builder.trunc(builder.lshr(word, word.type(8 * number)), ir.IntType(8)) for number in range(many)]
    else:
        parts = [builder.load(builder.gep(entries, [INT(number)])) for number in range(many)]
    units = [context.cast(builder, part, kind.dtype, types.intp) for part in parts]
    return [builder.mul(unit, unit.type(LANES)) for unit in units]


@contextmanager
def _while_links(builder: Any, link: Any, last: Any, many: int) -> Iterator[Any]:
    """A loop that takes ``many`` links in each round, from where ``link`` points, as long as there are so many."""
    condition, body, after = (builder.append_basic_block() for _ in range(3))
    builder.branch(condition)
    builder.position_at_end(condition)
    here = builder.load(link)
    following = builder.add(here, here.type(many))
    builder.cbranch(builder.icmp_signed("<=", following, last), body, after)
    builder.position_at_end(body)
    yield here
    builder.store(following, link)
    builder.branch(condition)
    builder.position_at_end(after)


def _partial_sums(builder: Any, one: Sequence[Any], other: Sequence[Any]) -> Any:
    """Of a dot product, in two chains: a chain of multiply-adds alone would wait for its links."""
    chains = [builder.fmul(*pair) for pair in zip(one[:2], other[:2], strict=True)]
    for number, (part, partner) in enumerate(zip(one[2:], other[2:], strict=True)):
        chains[number % 2] = call(builder, "fma", part, partner, chains[number % 2])
    return builder.fadd(*chains)


def _registers(builder: Any, block: Any) -> list[Any]:
    return [pick(builder, block, block, range(start, start + REGISTER)) for start in range(0, LANES, REGISTER)]


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


def _rounds(rows: Sequence[int]) -> list[int]:
    """How many units that these rows read are taken at once: first as many as make TOGETHER links, in the end one."""
    return [many for many in (4, 2, 1) if many * len(rows) <= TOGETHER]


def _correlator(patterns: Sequence[Sequence[int]]) -> Any:
    many_rows = 1 + max(map(max, patterns))

    @intrinsic
    def correlate(typing_context, values, start, others, origin, index, pointers, first, sums, place):
        def generate(context, builder, signature, arguments):
            values, start, others, origin, index, pointers, first, sums, place = arguments
            kinds = signature.args
            own = address(context, builder, kinds[0], values, start)
            rows = [
                _registers(builder, read(builder, builder.gep(own, [INT(row * LANES)]), LANES))
                for row in range(many_rows)
            ]
            target = cgutils.alloca_once_value(builder, address(context, builder, kinds[7], sums, place))
            current = cgutils.alloca_once_value(
                builder, builder.load(address(context, builder, kinds[5], pointers, first))
            )
            for number, pattern in enumerate(patterns):
                following = builder.add(first, first.type(number + 1))
                last = builder.load(address(context, builder, kinds[5], pointers, following))
                for many in _rounds(pattern):
                    with _while_links(builder, current, last, many) as link:
                        dots = []
                        for unit in _partners(context, builder, kinds[4], index, link, many):
                            there = address(context, builder, kinds[2], others, builder.add(origin, unit))
                            other = _registers(builder, read(builder, there, LANES))
                            dots += [_partial_sums(builder, rows[row], other) for row in pattern]
                        here = builder.load(target)
                        count = len(dots)
                        found = _lane_sums(builder, dots if count != 3 else [*dots, dots[-1]])
                        found = pick(builder, found, found, range(count))
                        write(builder, here, builder.fadd(read(builder, here, count), found))
                        builder.store(builder.gep(here, [INT(count)]), target)
            begin = address(context, builder, kinds[7], sums, place.type(0))
            whole = context.get_value_type(types.intp)
            bytes_ = builder.sub(builder.ptrtoint(builder.load(target), whole), builder.ptrtoint(begin, whole))
            return builder.sdiv(bytes_, bytes_.type(4))

        whole = types.intp
        return whole(values, whole, others, whole, index, pointers, whole, sums, whole), generate

    return correlate


@intrinsic
def add_group(typing_context, units, place, weights, first_link, origin, index, pointers, first):
    """The links of one group of rows in one tile."""

    def generate(context, builder, signature, arguments):
        units, place, weights, first_link, origin, index, pointers, first = arguments
        kinds = signature.args
        own = address(context, builder, kinds[0], units, place)
        targets = [builder.gep(own, [INT(row * LANES)]) for row in range(GROUP)]
        sums = [cgutils.alloca_once_value(builder, read(builder, target, LANES)) for target in targets]
        zero = ir.Constant(ir.VectorType(FLOAT, LANES), [0.0] * LANES)
        spare = cgutils.alloca_once_value(builder, zero)
        here = cgutils.alloca_once_value(builder, address(context, builder, kinds[2], weights, first_link))
        current = cgutils.alloca_once_value(builder, builder.load(address(context, builder, kinds[6], pointers, first)))
        for number, pattern in enumerate(PATTERNS):
            following = builder.add(first, first.type(number + 1))
            last = builder.load(address(context, builder, kinds[6], pointers, following))
            alone = len(pattern) == 1 and LANES // REGISTER < 8
            for many in _rounds(pattern):
                with _while_links(builder, current, last, many) as link:
                    weight = builder.load(here)
                    for n, unit in enumerate(_partners(context, builder, kinds[5], index, link, many)):
                        there = address(context, builder, kinds[0], units, builder.add(origin, unit))
                        values = read(builder, there, LANES)
                        for k, row in enumerate(pattern):
                            scalar = builder.load(builder.gep(weight, [INT(n * len(pattern) + k)]))
                            chain = spare if alone and n % 2 else sums[row]
                            total = call(builder, "fma", spread(builder, scalar, LANES), values, builder.load(chain))
                            builder.store(total, chain)
                    builder.store(builder.gep(weight, [INT(many * len(pattern))]), here)
            if alone:
                row = sums[pattern[0]]
                builder.store(builder.fadd(builder.load(row), builder.load(spare)), row)
                builder.store(zero, spare)
        for target, total in zip(targets, sums, strict=True):
            write(builder, target, builder.load(total))
        begin = address(context, builder, kinds[2], weights, first_link.type(0))
        whole = context.get_value_type(types.intp)
        bytes_ = builder.sub(builder.ptrtoint(builder.load(here), whole), builder.ptrtoint(begin, whole))
        return builder.sdiv(bytes_, bytes_.type(4))

    whole = types.intp
    return whole(units, whole, weights, whole, whole, index, pointers, whole), generate


correlate_group, correlate_one = _correlator(PATTERNS), _correlator([(0,)])


@intrinsic
def add_links(typing_context, sums, weights, places, units, origin, index, span):
    """``sums`` plus, for the links in ``span``, the weight of each times the values of the unit that it reads.

    That is the unit ``index[link]`` of those that start at ``units[origin]``. Its weight is ``weights[link]`` or,
    where ``places`` is an array and not None, ``weights[places[link]]``.
    """

    def generate(context, builder, signature, arguments):
        sums, weights, places, units, origin, index, span = arguments
        kinds = signature.args

        def weights_of(link: Any, many: int) -> list[Any]:
            if kinds[2] == types.none:
                several = read(builder, address(context, builder, kinds[1], weights, link), many)
                return [pick(builder, several, several, [number] * LANES) for number in range(many)]
            start = address(context, builder, kinds[2], places, link)
            entries = [builder.load(builder.gep(start, [INT(number)])) for number in range(many)]
            found = [context.cast(builder, entry, kinds[2].dtype, types.intp) for entry in entries]
            found = [builder.load(address(context, builder, kinds[1], weights, place)) for place in found]
            return [spread(builder, weight, LANES) for weight in found]

        # One chain of multiply-adds alone would wait for its links, where it has no more than four registers.
        chains = [cgutils.alloca_once_value(builder, sums)]
        if LANES // REGISTER < 8:
            chains.append(cgutils.alloca_once_value(builder, ir.Constant(sums.type, [0.0] * LANES)))
        current = cgutils.alloca_once_value(builder, builder.extract_value(span, 0))
        for many in (TOGETHER, 1):
            with _while_links(builder, current, builder.extract_value(span, 1), many) as link:
                partners = _partners(context, builder, kinds[5], index, link, many)
                for number, (weight, unit) in enumerate(zip(weights_of(link, many), partners, strict=True)):
                    values = read(builder, address(context, builder, kinds[3], units, builder.add(origin, unit)), LANES)
                    chain = chains[number % len(chains)]
                    builder.store(call(builder, "fma", weight, values, builder.load(chain)), chain)
        total, *others = (builder.load(chain) for chain in chains)
        for other in others:
            total = builder.fadd(total, other)
        return total

    whole = types.intp
    return sums(sums, weights, places, units, whole, index, types.UniTuple(whole, 2)), generate
