"""Links of a network that is laid out, changed in place."""

import numpy as np

from karikomi.engines.contract import Change, Links, Rewiring
from karikomi.engines.sparse.kernels.everywhere import Everywhere, gradient_everywhere
from karikomi.engines.sparse.kernels.layout import Network
from karikomi.engines.sparse.kernels.links import GROUP, LISTS
from karikomi.engines.sparse.kernels.optimizer import Optimizer
from karikomi.engines.sparse.kernels.placement import Place, padded
from karikomi.engines.sparse.kernels.sorting import Room, merge_links, move, sort_back, sort_links
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
        self.rooms = {name: Room.of(shape[0], shape[1]) for name, shape in self.shapes.items()}
        asked = self.shapes if rewiring.gradient else {}
        self.everywhere = {name: Everywhere.of(shape[0], shape[1], batch) for name, shape in asked.items()}

    def measure(self) -> None:
        """Keep the gradient of all links in the step that was just taken."""
        for number, name in enumerate(self.everywhere):
            gradient_everywhere(self.network, number, self.batch, self.everywhere[name])

    def change(self, step: int) -> dict[str, Place]:
        """Links go and grow, after that step; returns where the parameters are then."""
        parameters = self.network.parameters
        links = {
            name: Links(shape, place.elements, parameters[place.positions], self._gradient(name))
            for name, shape in self.shapes.items()
            for place in [self.places[name]]
        }
        changes = self.rewiring.change(step, links)
        for number, name in enumerate(self.shapes):
            if name in changes:
                move_links = self._in_matrix if self.network.layers[number]["stride"] else self._in_lists
                self.places = {**self.places, name: move_links(number, name, changes[name])}
        return self.places

    def _gradient(self, name: str) -> np.ndarray | None:
        return self.everywhere[name].flat(*self.shapes[name]) if self.rewiring.gradient else None

    def _in_lists(self, number: int, name: str, change: Change) -> Place:
        network, layer, place = self.network, self.network.layers[number], self.places[name]
        (outputs, inputs), room, count = self.shapes[name], self.rooms[name], len(place.elements)
        merged, row, column, source, positions = np.empty((5, count), np.int64)
        merge_links(place.elements, place.positions, change.kept, change.grown, inputs, merged, row, column, source)
        groups, tiles = -(-outputs // GROUP), int(layer["tiles"])
        pointers = network.pointers[layer["pointer"] :][: tiles * groups * LISTS + 1]
        links = network.tile_links[layer["tile_link"] :][: tiles + 1]
        start, entry = int(links[0]), int(pointers[0])
        sort_links(row, column, groups, room, start, entry, network.partner, pointers, links, positions)
        if number:
            back = network.back_pointers[layer["back_pointer"] :][: int(layer["back_tiles"]) * inputs + 1]
            sort_back(row, column, positions, inputs, int(back[0]), network.back_partner, network.back_link, back)
        some = np.empty(3 * (padded(count, 16) + 16 * tiles), np.float32)
        move(*self.values, source, positions, start, some)
        return Place(positions, merged)

    def _in_matrix(self, number: int, name: str, change: Change) -> Place:
        layer, place = self.network.layers[number], self.places[name]
        elements = np.sort(np.concatenate([place.elements[change.kept], change.grown]))
        rows, columns = np.divmod(elements, self.shapes[name][1])
        positions = layer["links"] + rows * layer["stride"] + columns
        fresh = positions[np.isin(elements, change.grown)]
        for values in self.values:
            values[place.positions[~change.kept]] = 0
            values[fresh] = 0
        shift = layer["keep"] - layer["links"]
        self.network.keep[place.positions + shift] = 0
        self.network.keep[positions + shift] = 1
        return Place(positions, elements)
