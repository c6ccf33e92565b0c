"""Progress of label generation: a bar on a terminal, log lines elsewhere."""

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta

from mmengine.logging import print_log

from mmwsis.utils.progress_bar import progress_bar

_LOG_SECONDS = 20.0


class GenerationProgress:
    """Counts samples; shown by one rank, whose share stands for all.

    Args:
        total: Samples that this rank labels.
        title: What is made. Defaults to 'pseudo labels'.
        noun: What the samples are called. Defaults to 'objects'.
        visible: False for ranks that stay silent. Defaults to True.
    """

    def __init__(
        self,
        total: int,
        title: str = 'pseudo labels',
        noun: str = 'objects',
        visible: bool = True,
    ) -> None:
        self.total, self.done = total, 0
        self.title, self.noun = title, noun
        self.visible = visible and total > 0
        self._started = self._logged = time.monotonic()
        self._stack = ExitStack()
        self._advance: Callable[[int], None] | None = None

    def __enter__(self) -> 'GenerationProgress':
        if self.visible and sys.stderr.isatty():
            bar = progress_bar(f'{self.title}, {self.noun}:')
            self._advance = self._stack.enter_context(bar)(self.total)
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def advance(self, count: int) -> None:
        """Count samples whose results are on disk.

        Args:
            count: How many.
        """
        self.done += count
        if self._advance is not None:
            self._advance(count)
        elif self.visible:
            self._log()

    def _log(self) -> None:
        now = time.monotonic()
        if self.done < self.total and now - self._logged < _LOG_SECONDS:
            return
        self._logged = now
        spent = now - self._started
        left = timedelta(seconds=round(spent / self.done * (self.total - self.done)))
        print_log(
            f'{self.title}: {self.done}/{self.total} {self.noun}, '
            f'{self.done / max(spent, 1e-9):.1f} per second, {left} to go',
            logger='current',
        )
