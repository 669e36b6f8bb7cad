"""Sums of vectors times numbers: of the units that links read, or of whole rows of links."""

from collections.abc import Callable, Iterator
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from karikomi.engines.sparse.kernels.links import TOGETHER, partners, while_links
from karikomi.engines.sparse.kernels.vector import INT, LANES, REGISTER, call, intrinsic, read, spread


def _sum_of_multiples(builder: Any, sums: Any, span: Any, multiples: Callable[[Any, int], Iterator[Any]]) -> Any:
    """``sums`` plus the products of the pairs, factor and vector, that ``multiples`` reads for entries in ``span``."""
    # One chain of multiply-adds alone would wait for its links, where it has no more than four registers.
    chains = [cgutils.alloca_once_value(builder, sums)]
    if LANES // REGISTER < 8:
        chains.append(cgutils.alloca_once_value(builder, ir.Constant(sums.type, [0.0] * LANES)))
    current = cgutils.alloca_once_value(builder, builder.extract_value(span, 0))
    for many in (TOGETHER, 1):
        with while_links(builder, current, builder.extract_value(span, 1), many) as entry:
            for number, (factor, values) in enumerate(multiples(entry, many)):
                chain = chains[number % len(chains)]
                builder.store(call(builder, "fma", spread(builder, factor, LANES), values, builder.load(chain)), chain)
    total, *others = (builder.load(chain) for chain in chains)
    for other in others:
        total = builder.fadd(total, other)
    return total


@intrinsic(lambda sums, *others: sums)
def add_links(builder, sums, weights, places, units, origin, index, span):
    """``sums`` plus, for the links in ``span``, the weight of each times the values of the unit that it reads.

    That is the unit ``index[link]`` of those that start at ``units[origin]``; its weight is ``weights[places[link]]``.
    """

    def multiples(link: Any, many: int) -> Iterator[Any]:
        entries = places.address(link)
        for number, unit in enumerate(partners(builder, index, link, many)):
            weight = weights.at(places.taken(builder.load(builder.gep(entries, [INT(number)]))))
            yield weight, read(builder, units.address(builder.add(origin, unit)), LANES)

    return _sum_of_multiples(builder, sums, span, multiples)


@intrinsic(lambda sums, *others: sums)
def add_multiples(builder, sums, factors, vectors, origin, index, span):
    """``sums`` plus, for the entries in ``span``, ``factors[entry]`` times a vector.

    That is the vector ``index[entry]`` of those that start at ``vectors[origin]``.
    """

    def multiples(entry: Any, many: int) -> Iterator[Any]:
        first = factors.address(entry)
        for number, vector in enumerate(partners(builder, index, entry, many)):
            start = vectors.address(builder.add(origin, vector))
            yield builder.load(builder.gep(first, [INT(number)])), read(builder, start, LANES)

    return _sum_of_multiples(builder, sums, span, multiples)
