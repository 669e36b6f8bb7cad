"""The links of a sparse layer as its kernels visit them, against the mask."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karikomi.engines.sparse.kernels.layout import LAYER
from karikomi.engines.sparse.kernels.links import GROUP
from karikomi.engines.sparse.kernels.placement import Pools, place_sparse
from karikomi.engines.sparse.kernels.sorting import TILE


def _links(pools: Pools, *names: str) -> list[tuple[int, int, int, int]]:
    """Of each link its tile's number, row, partner and entry, list by list, as ``Network`` says they are."""
    rows, pointers, partner = map(pools.array, names)
    found = []
    for slot in range(0, len(rows) - 1, GROUP):
        for number in range(GROUP):
            together = GROUP - number
            for entry in range(pointers[slot + number], pointers[slot + number + 1]):
                row = rows[slot + (entry - pointers[slot + number]) % together]
                found.append((slot, int(row), int(partner[entry]), entry))
    return found


@given(
    st.integers(1, 70), st.integers(1, 2 * TILE + 70), st.sampled_from((0.0, 0.02, 0.3, 0.7, 1.0)), st.integers(0, 99)
)
@pytest.mark.parametrize("turned", [False, True])
def test_every_link_is_visited_once(turned, outputs, inputs, density, seed):
    rng = np.random.default_rng(seed)
    # Rows as uneven as they may be.
    mask = rng.random((outputs, inputs)) < density * rng.random((outputs, 1)) * 1.5
    mask = np.ascontiguousarray(mask.T) if turned else mask
    outputs, inputs = mask.shape
    layer, pools = np.zeros(1, LAYER)[0], Pools()
    row, column, positions = place_sparse(layer, mask, pools, backward=True)

    assert sorted(zip(row, column, strict=True)) == list(zip(*np.nonzero(mask), strict=True))
    assert len({*positions}) == len(positions)
    place = np.full(mask.shape, -1)
    place[row, column] = positions

    slots = -(-outputs // GROUP) * GROUP
    seen: dict[tuple[int, int], list[int]] = {}
    for slot, unit, partner, entry in _links(pools, "rows", "pointers", "partner"):
        tile = slot // slots
        assert entry + pools.array("shifts")[tile] == place[unit, tile * TILE + partner]
        seen.setdefault((tile, unit), []).append(partner)
    for (tile, unit), partners in seen.items():
        assert partners == [*np.flatnonzero(mask[unit, tile * TILE : (tile + 1) * TILE])]
    assert sum(map(len, seen.values())) == mask.sum()

    slots, back = -(-inputs // GROUP) * GROUP, dict[tuple[int, int], list[int]]()
    for slot, unit, partner, entry in _links(pools, "back_rows", "back_pointers", "back_partner"):
        tile = slot // slots
        assert pools.array("back_link")[entry] == place[tile * TILE + partner, unit]
        back.setdefault((tile, unit), []).append(partner)
    for (tile, unit), partners in back.items():
        assert partners == [*np.flatnonzero(mask[tile * TILE : (tile + 1) * TILE, unit])]
    assert sum(map(len, back.values())) == mask.sum()
