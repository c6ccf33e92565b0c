"""Parallel map that keeps the order of its jobs."""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

import cv2

Job = TypeVar('Job')
Result = TypeVar('Result')

AHEAD = 4  # jobs that wait for each process
PARENT_CHECK_SECONDS = 1.0


def map_processes(
    function: Callable[[Job], Result], jobs: Sequence[Job], workers: int, worth: int
) -> list[Result]:
    """Map a function, in processes where there is enough to do.

    Args:
        function: Picklable.
        jobs: Picklable.
        workers: Number of processes; 0 and 1 work in this one.
        worth: Fewer jobs than this are not worth starting processes.

    Returns:
        ``function(job)`` of every job, in order.
    """
    if workers < 2 or len(jobs) < worth:
        return [function(job) for job in jobs]
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(function, jobs, chunksize=100))


class OrderedPool:
    """A few processes, or this one alone, behind one ordered ``imap``.

    Processes start at once: a pool that is opened before a large file is read does not
    hold a copy of it. When this process is killed, the others end too.

    Args:
        workers: Number of processes, >= 1; 1 works without any. Defaults to 1.

    Raises:
        ValueError: ``workers`` is below 1.
    """

    def __init__(self, workers: int = 1) -> None:
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
        self,
        function: Callable[[Job], Result],
        jobs: Iterable[Job],
        name: Callable[[Job], str] = str,
    ) -> Iterator[Result]:
        """Results in the order of the jobs, as they come.

        A job that fails, or whose process dies, ends the run with an error that names
        it.

        Args:
            function: Picklable function of one job.
            jobs: Picklable; drawn only a little ahead of the results.
            name: What a job works on, for messages. Defaults to ``str``.

        Yields:
            ``function(job)`` of every job.

        Raises:
            RuntimeError: A process died, or a job raised something else than a
                ValueError or an OSError, which are passed on: they say themselves what
                is wrong.
        """
        if self._executor is None:
            for job in jobs:
                with _named(job, name):
                    result = function(job)
                yield result
            return
        waiting: deque[tuple[Job, Future[Result]]] = deque()
        for job in jobs:
            waiting.append((job, _submit(self._executor, function, job)))
            if len(waiting) >= AHEAD * self._workers:
                yield _first_result(waiting, self._workers, name)
        while waiting:
            yield _first_result(waiting, self._workers, name)

    def __enter__(self) -> 'OrderedPool':
        return self

    def __exit__(self, *error: object) -> None:
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)


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
    # Ctrl-C reaches all processes; the first one ends the others, and says so alone.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
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


def _submit(
    executor: ProcessPoolExecutor, function: Callable[[Job], Result], job: Job
) -> Future[Result]:
    try:
        return executor.submit(function, job)
    except BrokenProcessPool as error:
        # Reported in its turn, after the results that are there.
        broken: Future[Result] = Future()
        broken.set_exception(error)
        return broken


def _first_result(
    waiting: deque[tuple[Job, Future[Result]]], workers: int, name: Callable[[Job], str]
) -> Result:
    job, future = waiting[0]
    if isinstance(future.exception(), BrokenProcessPool):
        # Jobs are taken in order: those under way are the first without a result.
        lost = [
            job
            for job, future in waiting
            if isinstance(future.exception(), BrokenProcessPool)
        ]
        raise RuntimeError(
            'a worker process died (out of memory, or killed) while it worked on '
            f'{" or ".join(map(name, lost[:workers]))}; try fewer --workers'
        )
    waiting.popleft()
    with _named(job, name):
        return future.result()


@contextlib.contextmanager
def _named(job: Job, name: Callable[[Job], str]) -> Iterator[None]:
    """Say which job raised an error that does not tell."""
    try:
        yield
    except (ValueError, OSError):
        raise
    except Exception as error:
        raise RuntimeError(f'{name(job)}: {type(error).__name__}: {error}') from error
