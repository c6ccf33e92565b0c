"""``tools/run_pipeline.py``, its stages forked from a process that has imported all.

On a dozen scenes a stage needs less time for its work than for its imports. Everything
else is as usual: each stage is a process of its own, or one a rank, that runs the same
tool with the same arguments. That pipelines start and end other programs is tested with
a toy, and ``torchrun`` where tests are slow.
"""

import importlib
import os
import runpy
import signal
import sys
from functools import cache
from pathlib import Path

from mmwsis.pipelines import report_figures, runner

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / 'tests'))

from forked_tools import IMPORTS, run_tool  # noqa: E402

TORCHRUN = ['-m', 'mmwsis.engine.torchrun']


def run_stage(command, log_file, cwd, env=None, append=False, header='', **_):
    """Stands in for :func:`mmwsis.pipelines.process.run_logged`."""
    python, *arguments = command
    assert python == sys.executable
    ranks, arguments = ranks_of(arguments)
    import_all()
    log_file.parent.mkdir(parents=True, exist_ok=True)
    how = os.O_WRONLY | os.O_CREAT | os.O_APPEND | (0 if append else os.O_TRUNC)
    log = os.open(log_file, how)
    start = os.fstat(log).st_size
    sys.stdout.flush()
    children = []
    for rank in ranks:
        child = os.fork()
        if child == 0:
            os.dup2(log, 1), os.dup2(log, 2)
            os.chdir(cwd)
            os.environ.update({**(env or {}), **rank})
            os._exit(run_tool(arguments))
        children.append(child)
    os.close(log)
    status = wait_for(children)
    print(log_file.read_bytes()[start:].decode(errors='replace'))
    return status


def ranks_of(arguments):
    """Variables of each process, and the tool with its arguments."""
    if arguments[:2] != TORCHRUN:
        return [{}], arguments
    count, port = (one.partition('=')[2] for one in arguments[2:4])
    group = dict(WORLD_SIZE=count, MASTER_ADDR='localhost', MASTER_PORT=port)
    ranks = [dict(group, RANK=str(n), LOCAL_RANK=str(n)) for n in range(int(count))]
    return ranks, arguments[4:]


def wait_for(children):
    """Wait for all; where one fails the others are ended, as torchrun does."""
    waiting, worst = set(children), 0
    while waiting:
        child, status = os.wait()
        waiting.discard(child)
        status = os.waitstatus_to_exitcode(status)
        if status and not worst:
            worst = status
            for other in waiting:
                os.kill(other, signal.SIGKILL)
    return worst


@cache
def import_all():
    """Import what the tools do."""
    for name in IMPORTS:
        importlib.import_module(name)


if __name__ == '__main__':
    runner.run_logged = report_figures.run_logged = run_stage
    sys.argv[0] = str(REPOSITORY / 'tools/run_pipeline.py')
    runpy.run_path(sys.argv[0], run_name='__main__')
