"""Running one stage's command: streamed, logged, and never left behind."""

import contextlib
import ctypes
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

_GRACE_SECONDS = 10.0
_PR_SET_PDEATHSIG = 1


def run_logged(
    command: Sequence[str],
    log_file: Path,
    cwd: Path,
    env: dict[str, str] | None = None,
    append: bool = False,
    keep_open: int | None = None,
    header: str = '',
) -> int:
    """Run a command; its output goes to the console and to a log file at once.

    Args:
        command: Program and arguments.
        log_file: Receives stdout and stderr, byte for byte.
        cwd: Working directory of the command.
        env: Its environment. Defaults to this process's.
        append: Continue the log (a resumed stage) instead of starting it anew.
            Defaults to False.
        keep_open: File descriptor that the command inherits. The runner passes its
            lock, which then stays held for as long as the command lives. Windows
            has no such thing. Defaults to None.
        header: Line written to the log before the output. Defaults to none.

    Returns:
        Exit status of the command; negative signal number when it was killed.

    Raises:
        KeyboardInterrupt: Interrupted; the command has been stopped first.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ if env is None else env)
    # Without it a piped Python keeps its progress back in a buffer.
    environment['PYTHONUNBUFFERED'] = '1'
    with open(log_file, 'ab' if append else 'wb') as log:
        if header:
            log.write(f'{header}\n'.encode())
            log.flush()
        process = subprocess.Popen(
            list(command),
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=() if keep_open is None or os.name == 'nt' else (keep_open,),
            preexec_fn=die_with_parent if sys.platform == 'linux' else None,
        )
        with _terminate_as_interrupt():
            try:
                _stream(process, log)
                return process.wait()
            except BaseException:
                stop_process(process)
                raise


def last_lines(log_file: Path, count: int = 20) -> list[str]:
    """Read the end of a log.

    Args:
        log_file: Log; progress bars in it may redraw a line with carriage returns.
        count: Number of lines, at least 1. Defaults to 20.

    Returns:
        The last non-empty lines, each as it was last drawn.
    """
    if not log_file.is_file():
        return []
    with open(log_file, 'rb') as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - 65536))
        text = file.read().decode('utf-8', errors='replace')
    lines = [re.split(r'\r', line.rstrip('\r'))[-1] for line in text.split('\n')]
    return [line for line in lines if line.strip()][-count:]


def _stream(process: subprocess.Popen, log: IO[bytes]) -> None:
    """Copy the command's output to console and log until it closes."""
    descriptor = process.stdout.fileno()
    while chunk := os.read(descriptor, 65536):
        log.write(chunk)
        log.flush()
        sys.stdout.write(chunk.decode('utf-8', errors='replace'))
        sys.stdout.flush()


def stop_process(process: subprocess.Popen) -> None:
    """Ask a command to end, then insist.

    Args:
        process: It runs the command.
    """
    process.terminate()
    try:
        process.wait(timeout=_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def die_with_parent() -> None:
    """Have Linux end the command when the runner dies, even from ``kill -9``."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@contextlib.contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """Meanwhile, SIGTERM raises KeyboardInterrupt, so that cleaning up runs."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are not ours to handle
        return
    old = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, old)
