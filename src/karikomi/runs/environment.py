"""Where a run took place."""

import platform
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from karikomi.machine import usable_cores


def now() -> str:
    """The time in UTC, in ISO 8601 to the millisecond, so that text order is time order."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def describe() -> dict[str, Any]:
    """The machine and the software as this process sees them; no dependency is imported to find out."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _cpu_model(),
        "cores": usable_cores(),
        "versions": _versions(),
    }


def _cpu_model() -> str:
    try:
        known = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        known = None
    return known[1] if known else platform.processor() or platform.machine()


def _versions() -> dict[str, str]:
    from importlib import metadata

    versions = {"karikomi": metadata.version("karikomi")}
    for requirement in metadata.requires("karikomi") or []:
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        if "extra ==" not in requirement:
            versions[name] = metadata.version(name)
    return versions
