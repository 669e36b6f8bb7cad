"""A gated recurrent network that reads an image row by row (Cho et al. 2014)."""

from torch import Tensor, nn

from karikomi.networks.images import as_image


class GRU(nn.Module):
    """A recurrent layer whose state behind the last row is read out."""

    def __init__(self, image: nn.Module, width: int, units: int, classes: int) -> None:
        super().__init__()
        self.image, self.gru, self.output = image, nn.GRU(width, units, batch_first=True), nn.Linear(units, classes)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.gru(self.image(x).transpose(1, 2).flatten(2))
        return self.output(states[:, -1])


def build(name: str, sample_shape: tuple[int, ...], classes: int) -> GRU:
    """64 units; a row's pixels come in all channels at once."""
    image, channels, _, width = as_image(name, sample_shape)
    return GRU(image, channels * width, 64, classes)
