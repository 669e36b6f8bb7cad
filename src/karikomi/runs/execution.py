"""Where the pieces of a study are computed: here, or by Dask's workers."""

import logging
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from typing import Any

from karikomi.errors import InputError

REACH_SECONDS = 10


@contextmanager
def executor(cluster: str | None) -> Iterator[Executor | None]:
    """An executor that sends work to a Dask cluster; None, for no cluster, means here.

    Args:
        cluster: ``tcp://HOST:PORT`` (or ``tls://…``) of a running scheduler, or ``local:N`` to start N worker
            processes on this machine for as long as the context lasts.

    Raises:
        InputError: if Dask is not installed, the address makes no sense, or no scheduler answers there.
    """
    if cluster is None:
        yield None
        return
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise InputError("a cluster needs Dask: pip install 'karikomi[dask]'") from None
    kind, _, rest = cluster.partition(":")
    with ExitStack() as stack:
        if kind == "local" and rest.isdigit() and int(rest) > 0:
            # Its type says that it may be awaited; here it is not. Silent: what workers log is not for the terminal.
            workers: Any = LocalCluster(
                n_workers=int(rest), threads_per_worker=1, dashboard_address="", silence_logs=logging.CRITICAL
            )
            address = stack.enter_context(workers).scheduler_address
        elif kind in ("tcp", "tls") and rest.startswith("//"):
            address = cluster
        else:
            raise InputError(f"cluster should be tcp://HOST:PORT or local:N with N at least 1; it is {cluster}")
        try:
            client = stack.enter_context(Client(address, timeout=REACH_SECONDS, set_as_default=False))
        except (OSError, ValueError) as problem:
            raise InputError(f"no Dask scheduler answers at {cluster} ({type(problem).__name__})") from problem
        yield client.get_executor(pure=False)
