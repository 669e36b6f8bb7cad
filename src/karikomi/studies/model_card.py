"""A model card in the form of the Hugging Face Hub: Markdown with YAML in front."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from karikomi.data import DATASETS
from karikomi.statistics import mean_interval
from karikomi.studies.words import plus_minus

CARD = """---
{front}
---

# {title}

A lottery ticket (Frankle & Carbin 2019): a subnetwork with the weights that its training began with, beside the trained
ones. {links} of {all_links} links are left ({density:.2f} %).

| weight | links left | of | % |
| --- | --- | --- | --- |
{layers}

| test accuracy, % | |
| --- | --- |
| this ticket | {accuracy:.2f} |
| {replicates} | {mean} |

The test set decided nothing. ± is half a 95 % interval over replicates.

## To use it

```python
import karikomi

module, masks = karikomi.load_ticket("FOLDER")  # initial weights, masks as of torch.nn.utils.prune
trained = karikomi.train(module, "{data}", masks=masks)
module, masks = karikomi.load_ticket("FOLDER", weights="trained", form="plain")
```

`model.safetensors` holds the trained weights under the module's own names, `initial/…` and `mask/…`.

## Where it comes from

`{command}`

Karikomi {version}; network {network}, data {data}, seed {seed}, replicate {replicate}, round {round}; run
{run}. Every setting is in `config.json`.
"""


def card(config: Mapping[str, Any], command: str, accuracies: Sequence[float]) -> str:
    """The card of a ticket.

    Args:
        config: what its ``config.json`` says.
        command: what computes the run that it comes from.
        accuracies: test accuracies (0 … 1) of the tickets of this round in all replicates.
    """
    settings, links = config["settings"], config["links"]
    title = f"A ticket of {config['network']} on {settings['data']}, {100 * config['density']:.2g} % of the links"
    layers = [
        f"| {name} | {left:,} | {size:,} | {100 * left / max(size, 1):.2f} |" for name, (left, size) in links.items()
    ]
    return CARD.format(
        front="\n".join(
            f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in _front(config, title).items()
        ),
        title=title,
        links=f"{sum(left for left, _ in links.values()):,}",
        all_links=f"{sum(size for _, size in links.values()):,}",
        density=100 * config["density"],
        layers="\n".join(layers),
        accuracy=100 * config["test_accuracy"],
        replicates=f"mean of {len(accuracies)} replicates",
        mean=plus_minus(mean_interval(accuracies)._asdict(), 100),
        command=command,
        version=config["karikomi_version"],
        data=settings["data"],
        seed=settings["seed"],
        **{name: config.get(name, "–") for name in ("run", "replicate", "round", "network")},
    )


def _front(config: Mapping[str, Any], title: str) -> dict[str, Any]:
    """What the Hub reads of a model; JSON is YAML."""
    data = config["settings"]["data"]
    kind = "image-classification" if len(config["sample_shape"]) > 1 else "tabular-classification"
    metric = {"type": "accuracy", "value": config["test_accuracy"], "name": "test accuracy"}
    result = {"task": {"type": kind}, "dataset": {"type": data, "name": data}, "metrics": [metric]}
    return {
        "library_name": "karikomi",
        "pipeline_tag": kind,
        "tags": ["pruning", "sparse", "lottery-ticket", config["study"]],
        **({"datasets": [data]} if data in DATASETS else {}),
        "metrics": ["accuracy"],
        "model-index": [{"name": title, "results": [result]}],
    }
