"""``tools/run_pipeline.py``, its stages forked from a process that has imported all.

On a dozen scenes a stage needs less time for its work than for its imports. Everything
else is as usual: each stage is a process of its own that runs the same tool with the
same arguments. That pipelines start and end processes is tested with a toy.
"""

import importlib
import os
import runpy
import sys
import traceback
from functools import cache
from pathlib import Path

from mmwsis.pipelines import report_figures, runner

REPOSITORY = Path(__file__).resolve().parents[2]
# A fork must not find CUDA started.
os.environ['PYTORCH_NVML_BASED_CUDA_CHECK'] = '1'


def run_forked(command, log_file, cwd, env=None, append=False, header='', **_):
    """Stands in for :func:`mmwsis.pipelines.process.run_logged`."""
    python, *arguments = command
    assert python == sys.executable and arguments[0].endswith('.py')
    import_all()
    log_file.parent.mkdir(parents=True, exist_ok=True)
    start = log_file.stat().st_size if append and log_file.is_file() else 0
    child = os.fork()
    if child == 0:
        os._exit(_stage(arguments, log_file, cwd, env or os.environ, append))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(log_file.read_bytes()[start:].decode(errors='replace'))
    return status


@cache
def import_all():
    """Import what the tools do, which do the rest as they run."""
    for name in (
        'mmdet.models',
        'mmdet.datasets',
        'mmdet.visualization',
        'mmseg.models',
    ):
        importlib.import_module(name)
    for name in ('datasets', 'models', 'pseudo_labels', 'engine.run_config'):
        importlib.import_module(f'mmwsis.{name}')


def _stage(arguments, log_file, cwd, env, append):
    """Run a tool in the forked process; returns its exit status."""
    log = os.open(log_file, os.O_WRONLY | os.O_CREAT | (0 if append else os.O_TRUNC))
    os.lseek(log, 0, os.SEEK_END)
    sys.stdout.flush()
    os.dup2(log, 1), os.dup2(log, 2)
    os.chdir(cwd)
    os.environ.update(env)
    sys.argv = arguments
    sys.path[0] = str(Path(arguments[0]).parent)
    status = 0
    try:
        runpy.run_path(arguments[0], run_name='__main__')
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush(), sys.stderr.flush()
    return status


if __name__ == '__main__':
    runner.run_logged = report_figures.run_logged = run_forked
    sys.argv[0] = str(REPOSITORY / 'tools/run_pipeline.py')
    runpy.run_path(sys.argv[0], run_name='__main__')
