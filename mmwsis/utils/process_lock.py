"""One process at a time: a lock file that the system frees when its owner dies."""

import contextlib
import os
import socket
from datetime import datetime
from pathlib import Path

from filelock import lock_descriptor


class ProcessLock:
    """Hold a lock file, or say at once who holds it.

    Args:
        path: Lock file. It is made if absent and stays; its folder must exist.
        refusal: First words of the error where another process holds the lock, such
            as 'This pipeline is already running'.
        leave_to_forks: Whether a forked child holds the lock too. Without it, loader
            processes that outlive a killed run do not keep the next run waiting.
            Defaults to False.

    Raises:
        RuntimeError: (on entering) Another process holds the lock.
        OSError: (on entering) The file cannot be made or locked here.
    """

    def __init__(self, path: Path, refusal: str, leave_to_forks: bool = False) -> None:
        self.path = path
        self.refusal = refusal
        self.leave_to_forks = leave_to_forks

    def __enter__(self) -> 'ProcessLock':
        self._file = open(self.path, 'a+b', buffering=0)
        try:
            if not lock_descriptor(self.fileno(), blocking=False):
                raise RuntimeError(
                    f'{self.refusal}: {self._owner()}, or a command that it started, '
                    f'holds {self.path}. Wait for it, or stop it.'
                )
            self._file.truncate(0)
            # Windows locks the first byte against reading, so nothing stands there.
            self._file.write(f'\n{_this_process()}\n'.encode())
        except BaseException:
            self._file.close()
            raise
        if not self.leave_to_forks and hasattr(os, 'register_at_fork'):
            os.register_at_fork(after_in_child=self._file.close)
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def fileno(self) -> int:
        """File descriptor; a command that inherits it holds the lock as well."""
        return self._file.fileno()

    def _owner(self) -> str:
        with contextlib.suppress(OSError):
            self._file.seek(1)
            text = self._file.read().decode('utf-8', errors='replace').strip()
            if text:
                return text
        return 'an unknown process'


def _this_process() -> str:
    now = datetime.now().astimezone().isoformat(timespec='seconds')
    return f'process {os.getpid()} on {socket.gethostname()} since {now}'
