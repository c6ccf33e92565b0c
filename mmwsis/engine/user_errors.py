"""What a command line prints when the user's files or settings are at fault."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

TRACEBACK_VARIABLE = 'MMWSIS_TRACEBACK'
_WORKER = re.compile(r'Caught \w+ in DataLoader worker process \d+\.')
_FRAME = re.compile(r'  File "(.*)", line \d+, in ')


@contextmanager
def user_errors() -> Iterator[None]:
    """End the program with an error's text alone if one of our checks raised it.

    Such an error says what is wrong with which file and what to do; a traceback above
    it would bury that. Errors from anywhere else keep their traceback, and so do all
    if the environment variable ``MMWSIS_TRACEBACK`` is set.

    Raises:
        SystemExit: With the text; the exit code is 1.
    """
    try:
        yield
    except (OSError, ValueError, RuntimeError, TypeError, FloatingPointError) as error:
        text = _own_text(error)
        if text is None or os.environ.get(TRACEBACK_VARIABLE):
            raise
        sys.exit(f'error: {text}')


def _own_text(error: Exception) -> str | None:
    """The error's text, without a worker's traceback; None if it is not ours."""
    text = str(error)
    if _WORKER.match(text):
        lines = text.splitlines()
        frames = [number for number, line in enumerate(lines) if _FRAME.match(line)]
        own = 'mmwsis' in re.split(r'[\\/]', _FRAME.match(lines[frames[-1]])[1])
        # The frame's code is indented; the error stands on the lines after it.
        start = next(
            number
            for number in range(frames[-1] + 1, len(lines))
            if not lines[number].startswith('    ')
        )
        return '\n'.join(lines[start:]).partition(': ')[2] if own else None
    frame = error.__traceback__
    while frame.tb_next is not None:
        frame = frame.tb_next
    module = frame.tb_frame.f_globals.get('__name__', '')
    return text if module.partition('.')[0] == 'mmwsis' else None
