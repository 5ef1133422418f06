"""Pages of one run shared out among threads, each with a database connection of its own."""

import gc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import Generic, TypeVar

from django.db import connection

Place = TypeVar("Place")


class Cursor(Generic[Place]):
    """Where the next page begins. Threads take pages one after the other, other processes skip what is locked."""

    def __init__(self, start: Place) -> None:
        self.after = start
        self.turn = Lock()


def share_out(work: Callable[[], None], *, workers: int) -> None:
    """
    Do a run's pages in so many threads; the first failure is raised once all have stopped.

    While one thread computes, the database works for another: two keep both busy.
    """
    if workers == 1:
        work()
        return

    def work_and_close() -> None:
        try:
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(workers, thread_name_prefix="run") as pool:
        for future in [pool.submit(work_and_close) for _ in range(workers)]:
            future.result()


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """A page is many small values without cycles: looking for some costs a tenth of the run and finds none."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
