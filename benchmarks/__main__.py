"""All parts of the benchmark, one after the other, each in a process of its own: ``python benchmarks``.

Writes benchmarks/results.json and docs/performance.md; a part that fails is reported there, the others go on.
"""

import argparse
import json
import subprocess
import sys
import time
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
PARTS = ("steps", "lottery", "scaling", "memory")


def main() -> int:
    given = parse(argparse.ArgumentParser(prog="benchmarks", description=__doc__))
    flags = [f"--{name}" for name, chosen in vars(given).items() if chosen]
    results = {"date": environment.now()[:10], "machine": _machine(), "flags": flags, "seconds": {}, "failed": {}}
    for name in PARTS:
        print(f"{name} …", file=sys.stderr, flush=True)
        began = time.perf_counter()
        done = subprocess.Popen([sys.executable, str(HERE / f"{name}.py"), *flags], stdout=subprocess.PIPE, text=True)
        try:
            output, _ = done.communicate(timeout=LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            done.terminate()
            output, _ = done.communicate()
        results["seconds"][name] = round(time.perf_counter() - began)
        if done.returncode == 0:
            results[name] = json.loads(output.splitlines()[-1])
        else:
            results["failed"][name] = f"it ended with status {done.returncode}"
    if given.quick:
        print(page(results))
    else:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        PAGE.write_text(page(results))
        print(f"{RESULTS.relative_to(HERE.parent)} and {PAGE.relative_to(HERE.parent)} are written", file=sys.stderr)
    return 1 if results["failed"] else 0


def _machine() -> dict:
    facts = environment.describe()
    versions = {name: facts["versions"][name] for name in ("karikomi", "torch", "numba", "numpy")}
    for name in ("llvmlite", "jax", "jaxlib"):
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
