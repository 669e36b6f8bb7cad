"""Jobs in threads, for kernels and operations that run without the interpreter's lock."""

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


def share_threads(
    job: Callable[[T, Advance, threading.Event], R], items: Sequence[T], at_once: int, advance: Advance | None
) -> list[R]:
    """As :func:`run`, at most ``at_once`` at a time, with PyTorch's threads shared out among them."""
    threads = torch.get_num_threads()
    at_once = min(at_once, threads, len(items))
    if at_once < 2:
        return [job(item, advance or _nobody, threading.Event()) for item in items]
    torch.set_num_threads(threads // at_once)
    try:
        return run(job, items, at_once, advance)
    finally:
        torch.set_num_threads(threads)


def _nobody(steps: int) -> None:
    """Hears of steps."""
