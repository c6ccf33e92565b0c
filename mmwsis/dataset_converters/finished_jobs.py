"""A parallel map that does not do again what it had finished before a kill.

Every finished job is kept in ``<output>.unfinished`` under a digest of the function, of
the job and of the version: a job that would give something else has another digest, so
nothing stale is ever taken and no settings need to be compared. The file goes when the
outputs are complete.
"""

import contextlib
import hashlib
import os
import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from mmwsis.utils.parallel import OrderedPool
from mmwsis.version import __version__

from .output_files import refuse_existing
from .unfinished import UnfinishedFile

Job = TypeVar('Job')
Result = TypeVar('Result')

SYNC_SECONDS = 1.0
_WRITING = 'writing'


def _unchanged(value: Any) -> Any:
    return value


class FinishedJobs:
    """Results of the finished jobs of some output files.

    The file is opened by the first job that ends, if there is none of an earlier run.

    Args:
        outputs: The files that are being made; the jobs are kept beside the first.
    """

    def __init__(self, outputs: Sequence[Path]) -> None:
        self._names = [path.name for path in outputs]
        self._file = UnfinishedFile(outputs[0], dict(jobs=1), sync_seconds=SYNC_SECONDS)
        self._stack = contextlib.ExitStack()
        self._is_open = False
        if self._file.path.exists():
            self._open()

    def _open(self) -> None:
        self._stack.enter_context(self._file)
        self._is_open = True

    def close(self) -> None:
        """Close the file; what is in it stays."""
        self._stack.close()

    def remove(self) -> None:
        """Close and delete the file."""
        self.close()
        if self._is_open:
            self._file.remove()

    def __contains__(self, key: str) -> bool:
        return key in self._file.chunks

    def __getitem__(self, key: str) -> Any:
        return self._file.chunks[key][0]

    def __setitem__(self, key: str, result: Any) -> None:
        if not self._is_open:
            self._open()
        self._file.append(key, [result])

    @property
    def is_writing(self) -> bool:
        """Whether an earlier run was interrupted while it wrote these outputs."""
        return _WRITING in self and self[_WRITING] == self._names

    def start_writing(self) -> None:
        """Say that all jobs are done and the outputs come next."""
        if not self.is_writing:
            self[_WRITING] = self._names

    def remember(
        self,
        pool: OrderedPool,
        encode: Callable[[Any], Any] = _unchanged,
        decode: Callable[[Any], Any] = _unchanged,
    ) -> 'RememberingPool':
        """A pool that takes finished results from here and adds new ones.

        Args:
            pool: Does what is not finished.
            encode: Makes a result JSON-serialisable, where it is not.
            decode: Makes a result of what ``encode`` has made.
        """
        return RememberingPool(pool, self, encode, decode)


class RememberingPool:
    """An :class:`OrderedPool` whose finished jobs survive a kill.

    Jobs must hold everything that their result depends on: of a file its content, or
    size and time of change (:func:`file_stamp`). They hold no sets, whose order differs
    from run to run.

    Args:
        pool: Does what is not finished.
        finished: Keeps what is.
        encode: Makes a result JSON-serialisable.
        decode: Turns it back.
    """

    def __init__(
        self,
        pool: OrderedPool,
        finished: FinishedJobs,
        encode: Callable[[Any], Any],
        decode: Callable[[Any], Any],
    ) -> None:
        self._pool = pool
        self._finished = finished
        self._encode, self._decode = encode, decode

    def imap(
        self, function: Callable[[Job], Result], jobs: Iterable[Job]
    ) -> Iterator[Result]:
        """Results in the order of the jobs, as they come.

        Args:
            function: Picklable function of one job.
            jobs: Picklable; drawn only a little ahead of the results.

        Yields:
            ``function(job)`` of every job, computed now or earlier.
        """
        order: deque[tuple[str, bool]] = deque()

        def unknown() -> Iterator[Job]:
            for job in jobs:
                key = _digest(function, job)
                is_known = key in self._finished
                order.append((key, is_known))
                if not is_known:
                    yield job

        for result in self._pool.imap(function, unknown()):
            yield from self._known(order)
            key, _ = order.popleft()
            self._finished[key] = self._encode(result)
            yield result
        yield from self._known(order)

    def _known(self, order: deque[tuple[str, bool]]) -> Iterator[Any]:
        """What was finished earlier, up to the next job that was not."""
        while order and order[0][1]:
            key, _ = order.popleft()
            yield self._decode(self._finished[key])


@contextlib.contextmanager
def finished_jobs(
    outputs: Iterable[str | os.PathLike],
    inputs: Iterable[str | os.PathLike],
    overwrite: bool,
) -> Iterator[FinishedJobs]:
    """Remember finished jobs until the outputs are written.

    The block calls :meth:`FinishedJobs.start_writing` and then writes the outputs. A
    kill leaves the finished jobs for the next run, a mistake in the inputs does not.

    Args:
        outputs: Files to be written; the jobs are kept beside the first.
        inputs: Files that are read.
        overwrite: Whether existing files may be replaced.

    Yields:
        The finished jobs.

    Raises:
        FileExistsError: An output exists, ``overwrite`` is off, and no interrupted run
            was about to write it.
        RuntimeError: Another process is making the same file.
        ValueError: An output is an input.
    """
    paths = [Path(path) for path in outputs]
    finished = FinishedJobs(paths)
    try:
        refuse_existing(paths, inputs, overwrite or finished.is_writing)
        yield finished
    except (ValueError, FileNotFoundError):
        # The user has to change something first; a refused run leaves nothing behind.
        finished.remove()
        raise
    except BaseException:
        finished.close()
        raise
    finished.remove()


def file_stamp(path: str | os.PathLike) -> tuple[int, int] | None:
    """Size and time of change of a file, by which jobs know that it has changed.

    Args:
        path: The file.

    Returns:
        Bytes and nanoseconds; None if there is no such file.
    """
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _digest(function: Callable, job: Any) -> str:
    name = f'{__version__} {function.__module__}.{function.__qualname__} '
    content = pickle.dumps(job, protocol=5)
    return hashlib.blake2b(name.encode() + content, digest_size=16).hexdigest()
