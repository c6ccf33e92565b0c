"""Progress of label generation: a bar on a terminal, log lines elsewhere."""

import sys
import time
from datetime import timedelta

from mmengine.logging import print_log
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_LOG_SECONDS = 20.0


class GenerationProgress:
    """Counts samples; shown by one rank, whose share stands for all.

    Args:
        total: Samples that this rank labels.
        title: What is made.
        noun: What the samples are called.
        visible: False for ranks that stay silent.
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
        self._bar: Progress | None = None

    def __enter__(self) -> 'GenerationProgress':
        if self.visible and sys.stderr.isatty():
            self._bar = Progress(
                TextColumn(self.title),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn(f'{self.noun},'),
                TimeElapsedColumn(),
                TextColumn('gone,'),
                TimeRemainingColumn(),
                TextColumn('to go'),
            )
            self._bar.start()
            self._task = self._bar.add_task('', total=self.total)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, count: int) -> None:
        """Count samples whose results are on disk.

        Args:
            count: How many.
        """
        self.done += count
        if self._bar is not None:
            self._bar.advance(self._task, count)
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
