"""Tools as processes of their own that do not have to import everything first.

Each is forked from a process that has imported torch, MMDetection and mmwsis and has
done nothing else; to start Python and import those takes longer than most tests. What a
tool prints, its exit status and its files are those of ``python TOOL``.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from functools import cached_property
from pathlib import Path

# A fork must not find CUDA started.
os.environ['PYTORCH_NVML_BASED_CUDA_CHECK'] = '1'
# What the tools import, which import the rest as they run.
IMPORTS = [
    *('mmdet.models', 'mmdet.datasets', 'mmdet.visualization', 'mmseg.models'),
    *('mmwsis.datasets', 'mmwsis.models', 'mmwsis.pseudo_labels'),
    *('mmwsis.evaluation.metrics', 'mmwsis.engine.run_config'),
]
SERVER = multiprocessing.get_context('forkserver')
SERVER.set_forkserver_preload(IMPORTS)


class ForkedTool:
    """A tool that runs; stands in for :class:`subprocess.Popen`.

    Args:
        command: ``sys.executable``, the file and its arguments.
        cwd: Working directory. Defaults to the present one.
        env: All variables. Defaults to those of this process.
    """

    def __init__(self, command, cwd=None, env=None):
        python, *arguments = map(str, command)
        assert python == sys.executable
        self._folder = tempfile.TemporaryDirectory()
        self._printed = [Path(self._folder.name, name) for name in ('out', 'err')]
        self._process = SERVER.Process(
            target=_run,
            args=(
                arguments,
                os.fspath(cwd or os.getcwd()),
                dict(os.environ if env is None else env),
                self._printed,
            ),
        )
        self._process.start()

    def communicate(self, timeout=300):
        """Wait for its end; returns what it printed, and its errors."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            self._process.kill()
            raise subprocess.TimeoutExpired('a forked tool', timeout)
        return self._texts

    @property
    def returncode(self):
        """Exit status, negative for a signal; ``None`` while it runs."""
        return self._process.exitcode

    @cached_property
    def _texts(self):
        texts = [file.read_text() if file.exists() else '' for file in self._printed]
        self._folder.cleanup()
        return texts


def run_forked(command, cwd=None, env=None, timeout=300):
    """Stands in for ``subprocess.run(..., capture_output=True, text=True)``."""
    tool = ForkedTool(command, cwd, env)
    printed, errors = tool.communicate(timeout)
    return subprocess.CompletedProcess(command, tool.returncode, printed, errors)


def _run(arguments, cwd, environment, printed):
    for descriptor, file in enumerate(printed, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), descriptor)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.path[1:1] = filter(None, environment.get('PYTHONPATH', '').split(os.pathsep))
    sys.exit(run_tool(arguments))


def run_tool(arguments):
    """Run a tool in this process; returns its exit status."""
    sys.argv = arguments
    sys.path[0] = str(Path(arguments[0]).parent)
    status = 0
    try:
        runpy.run_path(arguments[0], run_name='__main__')
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush(), sys.stderr.flush()
    return status
