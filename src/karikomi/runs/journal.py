"""The journal: one line for every finished piece of work."""

import json
import math
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from karikomi.errors import InputError
from karikomi.runs.files import read_whole, sync_folder

BITS = "float64 bits"


@dataclass(frozen=True)
class Journal:
    """An append-only file of JSON lines, made by the first ``append``.

    A line counts once its newline is on disk. A last line without one is what a killed writer left: it is
    ignored by ``records`` and cut off by the next ``append``.
    """

    path: Path

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a record; when this returns it is on disk.

        Records hold JSON's types and NumPy's scalars and arrays. Floats come back bit for bit, tuples and arrays as
        lists.

        Raises:
            OSError: if it cannot be written; the journal then still holds all earlier records.
        """
        line = json.dumps(_encode(record), allow_nan=False, separators=(",", ":")).encode() + b"\n"
        is_new = not self.path.exists()
        with self.path.open("ab+") as file:
            _cut_torn_line(file)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            sync_folder(self.path.parent)

    def records(self) -> list[dict[str, Any]]:
        """All records, oldest first; none if there is no journal yet.

        Raises:
            InputError: if a line is damaged, or the file cannot be read.
        """
        if not self.path.exists():
            return []
        *lines, _torn = read_whole(self.path).split(b"\n")
        return [self._record(number, line) for number, line in enumerate(lines, start=1)]

    def _record(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            record = json.loads(line, object_hook=_decode)
        except (ValueError, TypeError, struct.error):
            record = None
        if not isinstance(record, dict):
            raise InputError(f"{self.path}, line {number} is damaged; restore the file or choose another run folder")
        return record


def _cut_torn_line(file: BinaryIO) -> None:
    end = file.seek(0, os.SEEK_END)
    if end == 0:
        return
    file.seek(end - 1)
    if file.read(1) != b"\n":
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)


def _encode(value: Any) -> Any:
    """JSON has no infinity and no NaN, of which floats have many: those are written by their bits."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        return {BITS: struct.pack(">d", value).hex()}
    if isinstance(value, Mapping):
        return {key: _encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(item) for item in value]
    return value


def _decode(value: dict[str, Any]) -> Any:
    return struct.unpack(">d", bytes.fromhex(value[BITS]))[0] if value.keys() == {BITS} else value
