"""The server of ``karikomi serve``."""

import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from karikomi.errors import InputError
from karikomi.language import Language

HERE = "127.0.0.1"
"""The only address that is listened on."""


def serve(folder: Path, port: int, language: Language, ready: Callable[[str], None]) -> None:
    """Serve the pages over the runs of a folder until it is interrupted.

    Args:
        folder: holds run folders; nothing is written into it.
        port: where to listen; 0 takes any that is free.
        language: that of the pages.
        ready: is called with the address once it is listened on.

    Raises:
        InputError: without the extra ``serve``, for a folder that there is not, or a port that is taken.
    """
    try:
        import uvicorn

        from karikomi.serving.app import app
    except ModuleNotFoundError as problem:
        raise InputError("karikomi serve needs a server; install it with: pip install 'karikomi[serve]'") from problem
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}")
    if not 0 <= port <= 65535:
        raise InputError(f"port must lie between 0 and 65535; it is {port}")
    try:
        listener = socket.create_server((HERE, port))
    except OSError as problem:
        raise InputError(f"cannot listen on port {port}: {problem.strerror}; choose another one, or 0") from problem
    with listener, suppress(KeyboardInterrupt):
        ready(f"http://{HERE}:{listener.getsockname()[1]}/")
        server = uvicorn.Server(
            uvicorn.Config(app(folder, language), log_level="warning", access_log=False, server_header=False)
        )
        server.run(sockets=[listener])
