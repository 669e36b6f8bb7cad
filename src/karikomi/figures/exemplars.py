"""Images that pruning changes the answers of."""

import altair as alt
import numpy as np
import pandas as pd
from PIL import Image

from karikomi.figures import theme
from karikomi.figures.wiring import png_url

ANSWERED = {"lost": "#D55E00", "gained": "#0072B2", "wrong before and after": "#777777"}
ACROSS, SIZE = 8, 56
"""Images in a row, and points of each."""


def exemplars(images: pd.DataFrame, pixels: np.ndarray) -> alt.TopLevelMixin:
    """Images that tickets answer differently from dense networks: pruning identified exemplars (Hooker et al. 2019).

    What to see: whether they are unusual or ambiguous to the eye.

    Args:
        images: with columns image (its number), label, dense and ticket (the answers of most of them).
        pixels: theirs, ``[images, rows, columns]`` or with 1 or 3 channels ``[images, channels, rows, columns]``.
    """
    right = {"lost": images["dense"] == images["label"], "gained": images["ticket"] == images["label"]}
    kinds = np.select(list(right.values()), list(right), "wrong before and after")
    places = np.arange(len(images))
    shown = pd.DataFrame(
        {
            "column": places % ACROSS,
            "row": places // ACROSS,
            "url": _data_urls(pixels),
            "label": "class " + images["label"].astype(str).to_numpy(),
            "answers": (images["dense"].astype(str) + " → " + images["ticket"].astype(str)).to_numpy(),
            "kind": kinds,
            "image": images["image"].to_numpy(),
        }
    )
    step = SIZE + 14
    base = alt.Chart(theme.inline(shown)).encode(
        x=alt.X("column:O", axis=None, scale=alt.Scale(domain=list(range(ACROSS)), paddingInner=0)),
        y=alt.Y("row:O", axis=None),
        tooltip=[alt.Tooltip("image:Q", title="test image"), alt.Tooltip("label:N"), alt.Tooltip("answers:N")],
    )
    colour = alt.Color("kind:N", title=None, scale=theme.scale(ANSWERED), legend=alt.Legend(labelLimit=0))
    below = SIZE / 2 + 2
    return alt.layer(
        base.mark_image(width=SIZE, height=SIZE, yOffset=-14).encode(url="url:N"),
        base.mark_text(dy=below - 6, fontSize=10, color=theme.INK).encode(text="label:N"),
        base.mark_text(dy=below + 7, fontSize=11, fontWeight="bold").encode(text="answers:N", color=colour),
    ).properties(width=step * ACROSS, height=(step + 26) * (1 + int(places.max()) // ACROSS))


def _data_urls(pixels: np.ndarray) -> list[str]:
    """Each as a PNG, from the lowest value of all, black, to the highest."""
    low, high = float(pixels.min()), float(pixels.max())
    grey = np.rint(255 * (pixels.astype(float) - low) / max(high - low, 1e-12)).astype(np.uint8)
    if grey.ndim == 4:
        grey = grey[:, 0] if grey.shape[1] == 1 else np.moveaxis(grey, 1, -1)
    return [png_url(Image.fromarray(image)) for image in grey]
