"""Links of a network that is laid out, changed in place."""

from typing import Protocol

import numpy as np

from karikomi.engines.contract import Change, Links, Rewiring
from karikomi.engines.sparse.kernels.changing import Values, change_links
from karikomi.engines.sparse.kernels.everywhere import Everywhere, keep_step
from karikomi.engines.sparse.kernels.layout import Network, aligned
from karikomi.engines.sparse.kernels.links import GROUP, LISTS
from karikomi.engines.sparse.kernels.optimizer import Optimizer
from karikomi.engines.sparse.kernels.placement import Place, padded
from karikomi.engines.sparse.kernels.sorting import TILE, Lists, Order, Room, mark_links, sort_links
from karikomi.networks.subnetwork import Subnetwork


class Rewired:
    """A network whose links change.

    Attributes:
        places: where its parameters are, by name.
    """

    def __init__(
        self,
        rewiring: Rewiring,
        subnetwork: Subnetwork,
        network: Network,
        optimizer: Optimizer,
        places: dict[str, Place],
        batch: int,
    ) -> None:
        linear = subnetwork.architecture.perceptron
        assert linear, "checked before"
        self.rewiring, self.network, self.places, self.batch = rewiring, network, places, batch
        # SGD has one moment: in place of the second one what nobody reads is moved.
        second = optimizer.second if optimizer.adam else np.zeros_like(optimizer.first)
        self.values = network.parameters, optimizer.first, second
        self.shapes = {layer.weight: subnetwork.weights[layer.weight].shape for layer in linear}  # [outputs, inputs]
        self.layers: dict[str, _Layer] = {
            name: (_Matrix if network.layers[number]["stride"] else _Sparse)(network, number, places[name], self.values)
            for number, name in enumerate(self.shapes)
        }
        asked = self.shapes if rewiring.gradient else {}
        self.everywhere = {name: Everywhere.of(shape[0], shape[1], batch) for name, shape in asked.items()}
        self.steepest = {name: room.greatest for name, room in self.everywhere.items()}

    def measure(self) -> None:
        """Keep what the gradient of all links in the step that was just taken needs."""
        for number, room in enumerate(self.everywhere.values()):
            keep_step(self.network, number, self.batch, room)

    def change(self, step: int) -> dict[str, Place]:
        """Links go and grow, after that step; returns where the parameters are then."""
        parameters = self.network.parameters
        links = {
            name: Links(shape, place.elements, parameters[place.positions], self.steepest.get(name))
            for name, shape in self.shapes.items()
            for place in [self.places[name]]
        }
        changes = self.rewiring.change(step, links)
        self.places = {**self.places, **{name: self.layers[name].change(change) for name, change in changes.items()}}
        return self.places


class _Layer(Protocol):
    def __init__(self, network: Network, number: int, place: Place, values: tuple[np.ndarray, ...]) -> None: ...

    def change(self, change: Change) -> Place:
        """Links go and grow; returns where all are then."""
        ...


class _Sparse:
    """A layer of lists, all of which are made anew."""

    def __init__(self, network: Network, number: int, place: Place, values: tuple[np.ndarray, ...]) -> None:
        layer, count = network.layers[number], len(place.elements)
        self.inputs, tiles = int(layer["inputs"]), int(layer["tiles"])
        self.room = Room.of(int(layer["outputs"]), self.inputs)
        pointers = network.pointers[layer["pointer"] :][: tiles * self.room.groups * LISTS + 1]
        links = network.tile_links[layer["tile_link"] :][: tiles + 1]
        back_tiles = int(layer["back_tiles"])
        back = network.back_pointers[layer["back_pointer"] :][: back_tiles * self.inputs + (back_tiles > 0)]
        self.lists = Lists(
            *(int(links[0]), int(pointers[0]), network.partner, pointers, links),
            *(int(back[0]) if len(back) else 0, network.back_partner, network.back_link, back),
        )
        moved = aligned(3 * (padded(count, 16) + 16 * tiles))
        parameters, first, second = values
        self.values = Values(parameters, first, second, moved, block=aligned(4 * GROUP * TILE))
        row, column = np.divmod(place.elements, self.inputs)
        mark_links(self.room, row, column)
        self.order = Order.of(count, tiles, self.room.groups)
        sort_links(self.room, self.lists, self.order)

    def change(self, change: Change) -> Place:
        count, old = len(change.kept), self.order
        self.order = Order.of(count, len(old.links), old.groups)
        place, kept = Place(*np.empty((2, count), np.int64)), change.kept.view(np.uint8)
        moves = self.order, place.positions, place.elements, self.inputs, self.values
        change_links(self.room, self.lists, old, kept, change.grown, *moves)
        return place


class _Matrix:
    """A layer of mostly all links, with a mask."""

    def __init__(self, network: Network, number: int, place: Place, values: tuple[np.ndarray, ...]) -> None:
        self.layer, self.keep, self.place, self.values = network.layers[number], network.keep, place, values

    def change(self, change: Change) -> Place:
        layer, place = self.layer, self.place
        rows, columns = np.divmod(change.grown, int(layer["inputs"]))
        fresh, gone = layer["links"] + rows * layer["stride"] + columns, place.positions[~change.kept]
        for values in self.values:
            values[gone] = 0
            values[fresh] = 0
        shift = layer["keep"] - layer["links"]
        self.keep[gone + shift] = 0
        self.keep[fresh + shift] = 1
        positions = np.concatenate([place.positions[change.kept], fresh])
        self.place = Place(positions, np.concatenate([place.elements[change.kept], change.grown]))
        return self.place
