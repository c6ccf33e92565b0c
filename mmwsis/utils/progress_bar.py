"""The progress bar of command lines."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int], Callable[[int], None]]]:
    """Show a bar with the time left on stderr.

    Args:
        title: What is counted.

    Yields:
        Function that starts a bar of a given total and returns the function that
        counts finished items.
    """
    bar = Progress(
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )

    def start(total: int) -> Callable[[int], None]:
        task = bar.add_task('', total=total)
        return lambda done: bar.advance(task, done)

    with bar:
        yield start
