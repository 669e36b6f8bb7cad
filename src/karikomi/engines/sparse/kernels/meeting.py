"""Threads that play one program together, and wait for each other."""

import os
from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from karikomi.engines.sparse.kernels.vector import INT, intrinsic, kernel

# Where the two counts are, each on a cache line of its own.
_ARRIVED, _MEETINGS = 0, 8
COUNTS = 16


class Team(NamedTuple):
    """Thread ``number`` of ``threads``, and what all of them share: ``counts`` of those who wait, and of meetings."""

    number: int
    threads: int
    counts: np.ndarray


def team_of(threads: int) -> list[Team]:
    counts = np.zeros(COUNTS, np.int64)
    return [Team(number, threads, counts) for number in range(threads)]


@intrinsic(types.intp)
def count_up(builder, counts, place, more):
    """Adds to a count, as if no other thread did so at the same time; returns what it was before."""
    return builder.atomic_rmw("add", counts.address(place), more, "seq_cst")


@intrinsic(types.intp)
def count_of(builder, counts, place):
    return builder.load_atomic(counts.address(place), "seq_cst", 8)


@intrinsic()
def give_way(builder):
    """Lets other threads run that wait for this core, of whatever program."""
    name = "sched_yield" if os.name == "posix" else "SwitchToThread"
    builder.call(cgutils.get_or_insert_function(builder.module, ir.FunctionType(INT, []), name), [])


@kernel
def meet(team: Team) -> None:
    """Returns when all threads are here; what any of them has written can then be read by all."""
    if team.threads == 1:
        return
    meetings = count_of(team.counts, _MEETINGS)
    if count_up(team.counts, _ARRIVED, 1) == team.threads - 1:
        count_up(team.counts, _ARRIVED, -team.threads)
        count_up(team.counts, _MEETINGS, 1)
        return
    while count_of(team.counts, _MEETINGS) == meetings:
        give_way()
