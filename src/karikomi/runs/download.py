"""Published data sets, downloaded because somebody asked for them."""

import hashlib
import io
import shutil
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from karikomi.data.published import PUBLISHED, cache, place
from karikomi.errors import InputError, unknown
from karikomi.runs.files import remove_partials, write_whole

PATIENCE = 30
"""Seconds without an answer."""


def download(name: str) -> Path:
    """Bring a published data set into the cache: all of its files, with the right checksums, or nothing.

    Returns:
        The folder that it is in; at once if it was here before.

    Raises:
        InputError: for a name that is not published anywhere, or if the download fails.
    """
    if name not in PUBLISHED:
        raise unknown("data set to download", name, PUBLISHED)
    if (folder := place(name)) is not None:
        return folder
    url, files, *_ = PUBLISHED[name]
    contents = {file: _fetch(url + file, checksum) for file, checksum in files.items()}
    folder = cache(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        remove_partials(folder)
        for file, content in contents.items():
            write_whole(folder / file, content)
    except OSError as problem:
        raise InputError(f"cannot write {folder}: {problem.strerror}") from problem
    return folder


def _fetch(url: str, checksum: str) -> bytes:
    from rich.console import Console
    from rich.progress import wrap_file

    content = io.BytesIO()
    try:
        with urlopen(url, timeout=PATIENCE) as answer:
            total = int(answer.headers.get("Content-Length") or 0)
            with wrap_file(answer, total, description=url.rsplit("/")[-1], console=Console(stderr=True)) as file:
                shutil.copyfileobj(file, content)
    except HTTPError as problem:
        problem.close()
        raise InputError(f"cannot download {url}: {problem.code} {problem.reason}") from problem
    except (OSError, HTTPException) as problem:
        raise InputError(f"cannot download {url}: {getattr(problem, 'reason', problem)}") from problem
    if hashlib.sha256(content.getvalue()).hexdigest() != checksum:
        raise InputError(
            f"{url} gave {len(content.getvalue()):,} bytes that are not the published file (other SHA-256); nothing was"
            " kept, try again"
        )
    return content.getvalue()
