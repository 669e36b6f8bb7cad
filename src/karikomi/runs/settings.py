"""``settings.toml``: what was run, and the identity that follows from it."""

import hashlib
import json
import reprlib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from karikomi.errors import InputError
from karikomi.runs.files import read_whole, write_whole


def identity(study: str, settings: Mapping[str, object], schema: int) -> str:
    """What tells one run from another: SHA-256, in hex, of the study, its schema version and all its settings.

    The order of settings does not matter; a setting that is None counts as left out.

    >>> identity("lottery", {"seed": 0, "rounds": 10}, 1) == identity("lottery", {"rounds": 10, "seed": 0}, 1)
    True
    >>> identity("lottery", {"seed": 0}, 1) == identity("lottery", {"seed": 1}, 1)
    False
    """
    return hashlib.sha256(_canonical([study, schema, plain(settings)]).encode()).hexdigest()


def plain(settings: Mapping[str, object]) -> dict[str, Any]:
    """The settings in TOML's types: tuples as arrays, and no None, which TOML does not have.

    >>> plain({"rates": (0.2, 0.1), "output": None})
    {'rates': [0.2, 0.1]}
    """
    return json.loads(json.dumps({name: value for name, value in settings.items() if value is not None}))


def write_settings(path: Path, study: str, settings: Mapping[str, object], schema: int) -> None:
    """Write the table ``[run]`` (study, schema, identity) and the table ``[settings]``."""
    import tomli_w

    run = {"study": study, "schema": schema, "identity": identity(study, settings, schema)}
    write_whole(path, tomli_w.dumps({"run": run, "settings": plain(settings)}).encode())


def read_settings(path: Path) -> tuple[str, dict[str, Any], int]:
    """Study, settings and schema version, as written by ``write_settings``.

    Raises:
        InputError: if the file is missing, damaged, or was edited since.
    """
    content = read_whole(path)
    try:
        whole = tomllib.loads(content.decode())
        study, settings, schema = whole["run"]["study"], whole["settings"], whole["run"]["schema"]
        is_unchanged = whole["run"]["identity"] == identity(study, settings, schema)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged, or not the settings of a Karikomi run ({error!r})") from error
    if not is_unchanged:
        raise InputError(
            f"{path} was edited after the run began, so the results beside it are not of these settings;"
            " undo the edit, or run with these settings in another folder"
        )
    return study, settings, schema


def differences(theirs: Mapping[str, object], ours: Mapping[str, object]) -> list[str]:
    """In words, which settings differ: ``name: their value → our value``."""
    return [
        f"{name}: {_shown(theirs, name)} → {_shown(ours, name)}"
        for name in {**ours, **theirs}
        if _canonical(theirs.get(name)) != _canonical(ours.get(name))
    ]


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _shown(settings: Mapping[str, object], name: str) -> str:
    return reprlib.repr(settings[name]) if name in settings else "not set"
