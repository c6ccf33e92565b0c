"""Progress of label generation: a bar on a terminal, log lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from mmengine.logging import print_log

from mmwsis.utils.progress_bar import progress_bar

_LOG_SECONDS = 20.0


@contextmanager
def generation_progress(
    total: int, title: str, noun: str, visible: bool = True
) -> Iterator[Callable[[int], None]]:
    """Show how far one rank is, whose share stands for all.

    Args:
        total: Samples that this rank labels.
        title: What is made, such as 'pseudo labels'.
        noun: What the samples are called, such as 'objects'.
        visible: False for ranks that stay silent. Defaults to True.

    Yields:
        Function that counts samples whose results are on disk.
    """
    if visible and sys.stderr.isatty():
        with progress_bar(f'{title}, {noun}:') as start:
            yield start(total)
        return
    started = logged = time.monotonic()
    done = 0

    def advance(count: int) -> None:
        nonlocal done, logged
        done, now = done + count, time.monotonic()
        if not visible or (done < total and now - logged < _LOG_SECONDS):
            return
        logged, spent = now, now - started
        left = timedelta(seconds=round(spent / done * (total - done)))
        print_log(
            f'{title}: {done}/{total} {noun}, {done / max(spent, 1e-9):.1f} per '
            f'second, {left} to go',
            logger='current',
        )

    yield advance
