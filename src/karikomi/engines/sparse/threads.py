"""Jobs in threads, for kernels that run without the interpreter's lock."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

import torch

from karikomi import machine
from karikomi.engines.contract import Advance
from karikomi.errors import InputError

T = TypeVar("T")
R = TypeVar("R")


def run(
    job: Callable[[T, Advance, threading.Event], R], items: Sequence[T], threads: int | None, advance: Advance | None
) -> list[R]:
    """``job`` on every item, ``threads`` at a time (None: see ``machine.threads``); an error or Ctrl-C stops them all.

    A job gets something to report steps with, and an event that tells it to stop.
    """
    if threads is not None and threads < 1:
        raise InputError(f"threads must be at least 1; it is {threads}")
    stop, turn = threading.Event(), threading.Lock()

    def report(steps: int) -> None:
        if advance is not None:
            with turn:
                advance(steps)

    # Moments of links that no longer learn decay to numbers below 1e-38, which processors compute with slowly.
    pool = ThreadPoolExecutor(threads or machine.threads(), initializer=torch.set_flush_denormal, initargs=(True,))
    with pool:
        futures = [pool.submit(job, item, report, stop) for item in items]
        try:
            for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                future.result()
            return [future.result() for future in futures]
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
