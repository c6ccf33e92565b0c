"""The lock that a process holds while it lives."""

import os
import re
import socket
import subprocess
import sys

import pytest

from mmwsis.utils.process_lock import ProcessLock

HOLDER = """
import sys
from pathlib import Path
from mmwsis.utils.process_lock import ProcessLock
with ProcessLock(Path(sys.argv[1]), 'Busy'):
    print('held', flush=True)
    sys.stdin.read()
"""


def test_second_process_is_told_who_holds_it(tmp_path):
    path = tmp_path / 'job.lock'
    holder = subprocess.Popen(
        [sys.executable, '-c', HOLDER, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout.readline() == b'held\n'
        owner = re.escape(f'process {holder.pid} on {socket.gethostname()} since 20')
        with pytest.raises(RuntimeError, match=f'^Busy: {owner}.*{path}.*Wait for it'):
            ProcessLock(path, 'Busy').__enter__()
        holder.kill()  # the system frees the lock
        holder.wait()
        with ProcessLock(path, 'Busy'):
            pass
    finally:
        holder.communicate()


def test_file_of_another_program_is_no_reason_to_fail(tmp_path):
    path = tmp_path / 'job.lock'
    path.write_text('1234')
    with ProcessLock(path, 'Busy'):
        assert f'process {os.getpid()} on' in path.read_text()


@pytest.mark.parametrize('leave_to_forks', [False, True])
def test_forked_children_hold_it_only_where_asked(tmp_path, leave_to_forks):
    path = tmp_path / 'job.lock'
    ready, end = os.pipe(), os.pipe()
    with ProcessLock(path, 'Busy', leave_to_forks):
        child = os.fork()
        if child == 0:
            os.close(end[1])
            os.write(ready[1], b'.')
            os.read(end[0], 1)
            os._exit(0)
        os.read(ready[0], 1)
    try:  # the parent has let go of it, the child lives on
        if leave_to_forks:
            with pytest.raises(RuntimeError, match='or a command that it started'):
                ProcessLock(path, 'Busy').__enter__()
        else:
            with ProcessLock(path, 'Busy'):
                pass
    finally:
        os.close(end[1])
        os.waitpid(child, 0)
