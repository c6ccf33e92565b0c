"""Ordered parallel map with bounded memory."""

import contextlib
import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from types import TracebackType
from typing import TypeVar

import cv2

Job = TypeVar('Job')
Result = TypeVar('Result')

AHEAD = 4  # jobs that wait for each process
PARENT_CHECK_SECONDS = 1.0


class OrderedPool:
    """A few processes, or this one alone, behind one ordered ``imap``.

    Processes start at once, so that a pool opened before a large file is read does
    not copy it. A process that dies (out of memory, for example) raises
    ``concurrent.futures.process.BrokenProcessPool`` instead of hanging; when this
    process is killed, the others end, too.

    Args:
        workers: Number of processes, >= 1; 1 works without any.

    Raises:
        ValueError: ``workers`` is below 1.
    """

    def __init__(self, workers: int) -> None:
        if workers < 1:
            raise ValueError(f'workers must be at least 1, given {workers}')
        self._workers = workers
        self._executor: ProcessPoolExecutor | None = None
        if workers > 1:
            fork = 'fork' in multiprocessing.get_all_start_methods()
            self._executor = ProcessPoolExecutor(
                workers,
                multiprocessing.get_context('fork' if fork else None),
                initializer=_start_worker,
                initargs=(os.getpid(), fork),
            )
            with _one_opencv_thread():
                self._executor.submit(int).result()

    def imap(
        self, function: Callable[[Job], Result], jobs: Iterable[Job]
    ) -> Iterator[Result]:
        """Results in the order of the jobs, as they come.

        Args:
            function: Picklable function of one job.
            jobs: Drawn only a little ahead of the results.

        Yields:
            ``function(job)`` of every job.
        """
        if self._executor is None:
            yield from map(function, jobs)
            return
        waiting: deque[Future[Result]] = deque()
        for job in jobs:
            waiting.append(self._executor.submit(function, job))
            if len(waiting) >= AHEAD * self._workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def __enter__(self) -> 'OrderedPool':
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=kind is not None)


@contextlib.contextmanager
def _one_opencv_thread() -> Iterator[None]:
    """Let processes forked meanwhile have OpenCV without threads of its own.

    These would only compete with the other processes. A forked process must not switch
    them off itself: it would wait for threads that were not forked with it.
    """
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _start_worker(parent: int, forked: bool) -> None:
    if not forked:
        cv2.setNumThreads(1)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """End this worker when its parent is gone.

    A worker of a killed parent waits for jobs for ever, because the other workers hold
    the same pipe open.
    """
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_SECONDS)
    os._exit(1)
