"""Output of the set-up: numbered steps, and commands whose output goes to a log."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from problems import Problem, explain_log

# ninja prints "[12/139]"; it is the only measure of how far a build is.
_NINJA_PROGRESS = re.compile(rb'\[(\d+)/(\d+)\]')
_HEARTBEAT_SECONDS = 30
# One file's compiler warnings may fill more than a hundred kilobytes.
_PROGRESS_BYTES = 1 << 20


class Console:
    """Prints what is being done and runs commands that may take long.

    Args:
        log_path: File that receives the commands' output.
        total_steps: Number of steps, for ``[1/6]``.
    """

    def __init__(self, log_path: Path, total_steps: int) -> None:
        self.log_path = log_path
        self._total = total_steps
        self._number = 0

    def step(self, title: str, usual: str) -> None:
        """Announce the next step.

        Args:
            title: What is done.
            usual: How long it usually takes, in words.
        """
        self._number += 1
        print(f'[{self._number}/{self._total}] {title} (usually {usual})', flush=True)

    def note(self, text: str) -> None:
        """Print one line that belongs to the current step.

        Args:
            text: The line.
        """
        print(f'      {text}', flush=True)

    def run(
        self, command: list[str], what: str, env: dict[str, str] | None = None
    ) -> None:
        """Run a command with its output in the log, showing that time passes.

        Args:
            command: Program and arguments.
            what: What the command does, for messages.
            env: Whole environment; default is :func:`clean_environment`.

        Raises:
            Problem: The command failed; reason and remedy are read from its output.
        """
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log_path, 'ab') as log:
            log.write(f'\n$ {" ".join(command)}\n'.encode())
            log.flush()
            start = log.tell()
            # A session of its own, so that an interrupt also ends the compilers.
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=env or clean_environment(),
                start_new_session=True,
            )
            try:
                code = self._wait(process, what, start)
            except BaseException:
                _end_group(process)
                raise
        if code != 0:
            output = _read_from(self.log_path, start)
            raise explain_log(output, what) or Problem(
                f'{what} failed (exit code {code}). Its last lines:\n'
                + '\n'.join(output.strip().splitlines()[-12:]),
                f'Read the whole output in {self.log_path}, mend the cause, and run '
                'the same make command again; finished steps are not repeated.',
            )

    def _wait(self, process: subprocess.Popen, what: str, start: int) -> int:
        begin = time.monotonic()
        terminal = sys.stdout.isatty()
        shown = 0.0
        while True:
            try:
                code = process.wait(timeout=1.0 if terminal else 5.0)
                break
            except subprocess.TimeoutExpired:
                elapsed = time.monotonic() - begin
            text = f'{what}: {format_seconds(elapsed)}{self._progress(start)}'
            if terminal:
                print(f'\r      {text:<70}', end='', flush=True)
            elif elapsed - shown >= _HEARTBEAT_SECONDS:
                shown = elapsed
                self.note(text)
        if terminal and time.monotonic() - begin >= 1.0:
            print('\r' + ' ' * 78 + '\r', end='', flush=True)
        return code

    def _progress(self, start: int) -> str:
        with open(self.log_path, 'rb') as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(start, log.tell() - _PROGRESS_BYTES))
            found = _NINJA_PROGRESS.findall(log.read())
        return f', file {int(found[-1][0])} of {int(found[-1][1])}' if found else ''


def format_seconds(seconds: float) -> str:
    """Return a duration as people say it.

    Args:
        seconds: The duration.

    Returns:
        For example ``'45 s'`` or ``'3 min 05 s'``.
    """
    minutes, rest = divmod(int(seconds), 60)
    return f'{minutes} min {rest:02d} s' if minutes else f'{rest} s'


def clean_environment(**changes: str) -> dict[str, str]:
    """Return the process's environment without what leads pip astray.

    Args:
        changes: Variables to set on top.

    Returns:
        A new environment.
    """
    env = dict(os.environ)
    for name in ('PYTHONPATH', 'PYTHONHOME', 'PIP_USER', 'PIP_TARGET', 'PIP_PREFIX'):
        env.pop(name, None)
    env['PIP_DISABLE_PIP_VERSION_CHECK'] = '1'
    env['PIP_NO_INPUT'] = '1'
    env.update(changes)
    return env


def _read_from(path: Path, offset: int) -> str:
    with open(path, 'rb') as file:
        file.seek(offset)
        return file.read().decode('utf-8', errors='replace')


def _end_group(process: subprocess.Popen) -> None:
    """End a command and everything that it started."""
    # A stopped process would only hear of its end when it goes on.
    for signal_number in (signal.SIGTERM, signal.SIGCONT):
        _signal_group(process, signal_number)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=10)
    # Compilers may outlive the pip that started them.
    _signal_group(process, signal.SIGKILL)
    process.wait()


def _signal_group(process: subprocess.Popen, number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
