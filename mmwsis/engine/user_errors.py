"""What a command line prints when the user's files or settings are at fault."""

import errno
import os
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import URLError

from .ranks import end_with, wait_for_other_ranks

TRACEBACK_VARIABLE = 'MMWSIS_TRACEBACK'
_INTERRUPTED = 130  # what shells give for Ctrl-C
_WORKER = re.compile(r'Caught \w+ in DataLoader worker process \d+\.')
_FRAME = re.compile(r'  File "(.*)", line \d+, in ')
_OS_ERROR = re.compile(r"\[Errno (\d+)\] [^:]*(?:: '(.*)')?$")
_AGAIN = 'The same command goes on where it has kept something.'

# Errors of the operating system that a user can end, and how.
_REMEDIES = {
    errno.ENOENT: 'Check the path; relative ones start in {cwd}.',
    errno.EACCES: 'Change the permissions (ls -ld shows them), or name another place.',
    errno.EPERM: 'Change the permissions (ls -ld shows them), or name another place.',
    errno.EROFS: 'Name a place that can be written.',
    errno.ENOTDIR: 'A part of the path is a file; name another place.',
    errno.EISDIR: 'A file is needed here; name one.',
    errno.EEXIST: 'Name another place, or move what is there.',
    errno.ENAMETOOLONG: 'Name a shorter place.',
    errno.EMFILE: 'Raise the limit (ulimit -n 65536), or lower num_workers.',
    errno.EIO: 'The disk or the network drive failed; look at it.',
    errno.ENOSPC: f'Make room (df -h shows what is full), then try again. {_AGAIN}',
    errno.EDQUOT: f'Make room, or ask for a larger quota, then try again. {_AGAIN}',
}


@contextmanager
def user_errors(interrupted: str = '') -> Iterator[None]:
    """End the program with an error's text alone where the user can end the error.

    That is an error that one of our checks raised, which says what is wrong with which
    file and what to do, and what other libraries say of missing files, full disks,
    unknown names in a config and the like. A traceback above it would bury that.
    Any other error keeps its traceback, and so do all if the environment variable
    ``MMWSIS_TRACEBACK`` is set. Of several processes one speaks, see
    :func:`~mmwsis.engine.ranks.wait_for_other_ranks`.

    Args:
        interrupted: What Ctrl-C leaves and how to go on. Defaults to nothing.

    Raises:
        SystemExit: With the text; the exit code is 1, or 130 after Ctrl-C.
    """
    try:
        yield
    except KeyboardInterrupt:
        print(f'\ninterrupted. {interrupted}'.rstrip(), file=sys.stderr)
        raise SystemExit(_INTERRUPTED) from None
    except Exception as error:
        wait_for_other_ranks(error)
        text = user_text(error)
        if text is None or os.environ.get(TRACEBACK_VARIABLE):
            raise
        end_with(f'error: {text}')


def user_text(error: Exception) -> str | None:
    """What to tell a user of an error.

    Args:
        error: As it was caught.

    Returns:
        One message; ``None`` for an error in a program, which needs its traceback.
    """
    if _WORKER.match(str(error)):
        own, text = _of_worker(str(error))
        return text if own else _of_system(text)
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    module = frames[-1].f_globals.get('__name__', '')
    if module.partition('.')[0] == 'mmwsis' and _is_told(error):
        return str(error)
    names = {
        (frame.f_globals.get('__name__'), frame.f_code.co_name) for frame in frames
    }
    if ('mmengine.config.config', '__call__') in names:  # of its DictAction
        return (
            '--cfg-options takes KEY=VALUE, several separated by blanks, such as '
            f'train_dataloader.batch_size=2 or key="[1,2]"; it stopped at: {error}.'
        )
    if module == 'mmengine.config.config' and isinstance(
        error, (AttributeError, KeyError)
    ):
        key = re.split(r"attribute |^'", str(error))[-1].strip("'")
        return (
            f'the config has no {key}, which this tool reads. Give another config, or '
            f'the option --cfg-options {key}...'
        )
    if module == 'mmengine.registry.build_functions':
        return _of_registry(error)
    return _of_library(error)


def _is_told(error: Exception) -> bool:
    """Whether the error's type is one that our checks raise."""
    told = (OSError, ValueError, RuntimeError, TypeError, FloatingPointError)
    by_hand = isinstance(error, OSError) and error.errno is None
    return isinstance(error, told) and (by_hand or not isinstance(error, OSError))


def _of_worker(text: str) -> tuple[bool, str]:
    """Whether our code raised an error in a data loader's worker, and its text."""
    lines = text.splitlines()
    frames = [number for number, line in enumerate(lines) if _FRAME.match(line)]
    own = 'mmwsis' in re.split(r'[\\/]', _FRAME.match(lines[frames[-1]])[1])
    # The frame's code is indented; the error stands on the lines after it.
    start = next(
        number
        for number in range(frames[-1] + 1, len(lines))
        if not lines[number].startswith('    ')
    )
    return own, '\n'.join(lines[start:]).partition(': ')[2]


def _of_system(text: str, file: str | None = None) -> str | None:
    """Text of an error of the operating system, as Python writes it."""
    found = _OS_ERROR.match(text)
    remedy = found and _REMEDIES.get(int(found[1]))
    if not remedy:
        return None
    name = file or found[2] or ''
    reason = os.strerror(int(found[1]))
    place = f'{name}: ' if name else ''
    return f'{place}{reason}. {remedy.format(cwd=os.getcwd())}'


def _of_registry(error: Exception) -> str | None:
    """A name or an argument that a config gives and no class knows."""
    if isinstance(error, KeyError):
        return (
            f'the config names a type that is not there: {error.args[0]}'.partition(
                ' Please check'
            )[0]
            + ' Check the spelling and the prefix (mmdet., mmwsis.), or add the module '
            'that defines it to custom_imports of the config.'
        )
    if isinstance(error, TypeError):
        return (
            f'the config gives a class other arguments than it takes: {error}. Correct '
            'the config, or what --cfg-options adds to it.'
        )
    return None


def _of_library(error: Exception) -> str | None:
    """Errors of other libraries whose cause lies outside of any program."""
    kind, text = type(error).__name__, str(error)
    if isinstance(error, URLError):
        return (
            f'the weights could not be downloaded: {error.reason}. Without a network, '
            'copy the file there and give its path (init_cfg.checkpoint of the config).'
        )
    if isinstance(error, OSError) and error.errno is not None:
        return _of_system(f'[Errno {error.errno}] {error.strerror}', error.filename)
    if kind == 'OutOfMemoryError' or isinstance(error, MemoryError):
        return (
            f'out of memory: {text.split(". ")[0]}. Lower train_dataloader.batch_size '
            '(--batch-size of label generation) or the image scale, or give --amp.'
        )
    if text.startswith('DataLoader worker') and 'exited unexpectedly' in text:
        return (
            'the system ended a process that reads images, for want of memory as a '
            'rule. Lower num_workers or the batch size, or enlarge /dev/shm (docker '
            'run --shm-size=8g).'
        )
    if kind == 'RuntimeError' and (
        'inline_container' in text or 'PytorchStreamWriter failed' in text
    ):
        return f'a checkpoint could not be written. {_REMEDIES[errno.ENOSPC]}'
    if 'EADDRINUSE' in text:
        return (
            'the port of the processes is in use, perhaps by another training on this '
            'machine. Give each its own: PORT=29501 bash tools/dist_train.sh ...'
        )
    if isinstance(error, ImportError):
        return (
            f'{text}. Install what is missing (docs/get_started.md lists the extras); '
            'python -m mmwsis.doctor looks at the whole installation.'
        )
    return None
