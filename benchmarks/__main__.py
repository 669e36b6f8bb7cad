"""The parts of the benchmark, one after the other, each in a process of its own: ``python benchmarks [PART …]``.

Writes benchmarks/results.json and docs/performance.md; a part that fails is reported there, the others go on. Parts
that are not asked for keep their earlier figures.
"""

import argparse
import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from arguments import parse
from llvmlite import binding

from karikomi.runs import environment
from report import page

HERE = Path(__file__).parent
RESULTS, PAGE = HERE / "results.json", HERE.parent / "docs" / "performance.md"
# A part that hangs must not hold up the others; the longest, the lottery, takes half an hour.
LIMIT_SECONDS = 3 * 3600
PARTS = (
    *("steps", "sparse", "kernels", "training", "convolutions", "grow", "lottery"),
    *("lesions", "channels", "models", "scaling", "memory"),
)
_FEATURES = {
    name: has and not name.startswith(("avx10", "avx512", "amx", "evex512"))
    for name, has in binding.get_host_cpu_features().items()
}
# Numba, PyTorch, oneDNN and MKL without AVX-512.
_AVX2 = {
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": ",".join(f"{'+' if has else '-'}{name}" for name, has in sorted(_FEATURES.items())),
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="PART", help=f"of {', '.join(PARTS)}; all")
    parser.add_argument("--avx2", action="store_true", help="as on a machine with AVX2 alone; nothing is written")
    given = parse(parser)
    if given.avx2:
        os.environ |= _AVX2
    written = not (given.quick or given.avx2)
    results = (
        json.loads(RESULTS.read_text()) if given.parts and written else {"dates": {}, "machines": {}, "failed": {}}
    )
    for name in given.parts or PARTS:
        print(f"{name} …", file=sys.stderr, flush=True)
        _measure(name, ["--quick"] if given.quick else [], results)
    if written:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        PAGE.write_text(page(results))
        print(f"{RESULTS.relative_to(HERE.parent)} and {PAGE.relative_to(HERE.parent)} are written", file=sys.stderr)
    else:
        print(page(results))
    return 1 if results["failed"] else 0


def _measure(name: str, flags: list[str], results: dict) -> None:
    machine = _machine()  # first: a failure here must not cost a measurement
    done = subprocess.Popen([sys.executable, str(HERE / f"{name}.py"), *flags], stdout=subprocess.PIPE, text=True)
    try:
        output, _ = done.communicate(timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        done.terminate()
        output, _ = done.communicate()
    results["failed"].pop(name, None)
    results.pop(name, None)
    results["dates"][name], results["machines"][name] = environment.now()[:10], machine
    if done.returncode == 0:
        results[name] = json.loads(output.splitlines()[-1])
    else:
        results["failed"][name] = f"it ended with status {done.returncode}"


def _machine() -> dict:
    facts = environment.describe()
    versions = {name: facts["versions"][name] for name in ("karikomi", "torch", "numba", "numpy")}
    for name in ("llvmlite", "jax", "jaxlib", "sparselab", "sparseprop"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    features = binding.get_host_cpu_features()
    vectors = [name for name in ("avx512f", "avx2", "fma", "neon") if features.get(name)]
    core = {"llvm": binding.get_host_cpu_name(), "vectors": vectors}
    return {**core, **{key: facts[key] for key in ("cpu", "cores", "python", "platform")}, "versions": versions}


if __name__ == "__main__":
    sys.exit(main())
