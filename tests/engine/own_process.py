"""Runs in processes of their own, forked: they may be killed, and import nothing."""

import contextlib
import os
import signal
import socket
import time
import traceback
from pathlib import Path

from mmengine.hooks import Hook

from mmwsis.registry import HOOKS


@HOOKS.register_module(force=True)
class KillAt(Hook):
    """Kill -9 after an iteration, when its checkpoint, if any, is on disk."""

    priority = 'LOWEST'

    def __init__(self, iteration):
        self.iteration = iteration

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.iteration:
            os.kill(os.getpid(), signal.SIGKILL)


def run_ranks(action, ranks, folder, seconds=100):
    """Run ``action()`` in forked processes that can form a process group.

    Returns:
        How each ended, as ``os.waitstatus_to_exitcode`` has it, and what the
        exception said that ended it.
    """
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    children = []
    for rank in range(ranks):
        error_file = Path(folder, f'error{rank}.txt')
        child = os.fork()
        if child == 0:
            if ranks > 1:
                os.environ.update(
                    RANK=str(rank),
                    LOCAL_RANK=str(rank),
                    WORLD_SIZE=str(ranks),
                    MASTER_ADDR='127.0.0.1',
                    MASTER_PORT=str(port),
                )
            _run(action, error_file)
        children.append(child)
    codes = [_wait(child, seconds) for child in children]
    texts = []
    for rank in range(ranks):
        error = Path(folder, f'error{rank}.txt')
        texts.append(error.read_text() if error.exists() else '')
        error.unlink(missing_ok=True)
    return codes, texts


def _run(action, error_file):
    """Never returns: what follows belongs to the test's process."""
    code = 1
    try:
        action()
        code = 0
    except BaseException as error:
        traceback.print_exc()
        error_file.write_text(str(error))
    finally:
        os._exit(code)


def _wait(child, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError(f'process {child} hung for {seconds} s')
