"""Peak memory of lotteries, and of knock-outs over streamed examples, each in a process of its own."""

import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from arguments import Arguments, part, say

REPLICATES = (1, 5, 10)
# Later rounds hold fewer links, and tickets of earlier ones are on disk.
ITERATIONS, ROUNDS = 100, 2
STREAMED = (1_000, 10_000, 100_000)


def measure(arguments: Arguments) -> dict:
    replicates = REPLICATES[:2] if arguments.quick else REPLICATES
    _in_child("sparse 0")  # Compiling takes memory of its own, once.
    streamed = STREAMED[:2] if arguments.quick else STREAMED
    cases = ["script 0", "script 3", "sparse 0", *(f"sparse {n}" for n in replicates)]
    cases += [f"streamed {n}" for n in streamed]
    return {"megabytes": {case: _in_child(case) for case in cases}, "iterations": ITERATIONS, "rounds": ROUNDS}


def _in_child(case: str) -> float:
    say(f"memory, {case}")
    done = subprocess.run([sys.executable, __file__, *case.split()], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def _peak() -> float:
    """Peak resident memory of this process in megabytes.

    Linux counts into getrusage's maximum what the parent occupied when it started this process; VmHWM it does not.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    found = re.search(r"^VmHWM:\s*(\d+) kB", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024 / 1e6


def _sparse(replicates: int) -> None:
    """The lottery as a user runs it, but for the figures; 0 replicates: what it loads before its first network."""
    from karikomi.engines.sparse.compilation import compile_kernels
    from karikomi.runs.folder import RunFolder
    from karikomi.studies.lottery.settings import LotterySettings
    from karikomi.studies.lottery.stages import stages
    from karikomi.studies.settings import SCHEMA
    from karikomi.studies.setup import prepare
    from karikomi.studies.work import run_stages

    compile_kernels()
    settings = LotterySettings.of(iterations=ITERATIONS, rounds=ROUNDS, replicates=max(1, replicates))
    setup = prepare(settings)
    if replicates:
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "run"
            with RunFolder.create_or_resume(path, "lottery", settings.model_dump(), SCHEMA) as folder:
                run_stages(stages(setup), setup, folder, True, None)


def _script(networks: int) -> None:
    """The PyTorch script; it trains one network after the other, so that more of them take no more."""
    from plain_torch import Lottery
    from problem import Problem, mnist, recipe

    lottery = Lottery(mnist())
    for number in range(networks):
        lottery.measure(Problem(10).trial(number), recipe(ITERATIONS, 100))


def _streamed(examples: int) -> None:
    """Every knock-out of a small residual network over a DataLoader of images that are drawn when asked for."""
    import torch
    from torch import Tensor, nn
    from torch.utils.data import DataLoader, Dataset

    import karikomi

    class Noise(Dataset[tuple[Tensor, int]]):
        def __len__(self) -> int:
            return examples

        def __getitem__(self, number: int) -> tuple[Tensor, int]:
            return torch.rand(1, 28, 28, generator=torch.Generator().manual_seed(number)), number % 10

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.enter, self.norm = nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4)
            self.branch, self.output = nn.Conv2d(4, 4, 3, padding=1), nn.Linear(4, 10)

        def forward(self, x: Tensor) -> Tensor:
            x = self.norm(self.enter(x)).relu()
            return self.output((x + self.branch(x)).relu().mean((2, 3)))

    karikomi.knock_out(Residual(), DataLoader(Noise(), batch_size=256))


if __name__ == "__main__":
    kinds = {"sparse": _sparse, "script": _script, "streamed": _streamed}
    if len(sys.argv) == 3 and sys.argv[1] in kinds:
        kinds[sys.argv[1]](int(sys.argv[2]))
        print(_peak())
    else:
        part(measure)
