"""Files that are written whole or not at all, and read with one clear line when they are damaged."""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from karikomi.errors import InputError

if TYPE_CHECKING:
    import numpy as np

PARTIAL = ".partial-"
"""What the names of temporary files begin with; one that is left over was never part of a result."""


def write_whole(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` so that a reader, or a crash at any moment, sees the old file or the new one.

    Raises:
        OSError: if it cannot be written; an older file is then still whole, and no temporary file is left.
    """
    partial = path.with_name(f"{PARTIAL}{secrets.token_hex(8)}")
    try:
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)  # noqa: PTH105 - the name by which the system call is known
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_given(path: Path, content: bytes) -> None:
    """As :func:`write_whole`, to where a user says.

    Raises:
        InputError: if it cannot be written.
    """
    try:
        write_whole(path, content)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable: on POSIX a new name survives a power cut only after this."""
    if os.name == "nt":  # Windows opens no folders
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_partials(folder: Path) -> None:
    """Remove what killed writers left in ``folder``."""
    for partial in folder.glob(f"{PARTIAL}*"):
        partial.unlink(missing_ok=True)


def read_whole(path: Path) -> bytes:
    """The content of a file.

    Raises:
        InputError: if it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def write_arrays(path: Path, arrays: Mapping[str, "np.ndarray"], metadata: Mapping[str, str]) -> None:
    """Write named arrays of any shape, of bool, integer or float type, and text about them, as safetensors.

    The same arrays and metadata give the same bytes.
    """
    import numpy as np
    from safetensors.numpy import save

    # safetensors copies memory as it lies, so a transposed view must be laid out in C order first.
    content = save({name: np.asarray(array, order="C") for name, array in arrays.items()}, dict(metadata))
    write_whole(path, _with_sorted_metadata(content))


def _with_sorted_metadata(content: bytes) -> bytes:
    """safetensors writes metadata in the order of a hash table, which differs from process to process."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header["__metadata__"] = dict(sorted(header.get("__metadata__", {}).items()))
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the format aligns the arrays to 8 bytes
    return len(text).to_bytes(8, "little") + text + content[end:]


def read_arrays(path: Path) -> tuple[dict[str, "np.ndarray"], dict[str, str]]:
    """The arrays and the metadata of a safetensors file.

    Raises:
        InputError: if the file is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except OSError as error:
        reason = error.strerror or str(error).removesuffix(f": {path}")
        raise InputError(f"cannot read {path}: {reason}") from error
    except SafetensorError as error:
        raise InputError(f"{path} is damaged or no safetensors file: {error}") from error
