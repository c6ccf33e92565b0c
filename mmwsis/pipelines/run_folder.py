"""A folder of its own in which tools and pipelines run, as a user would run them."""

import json
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from .locate import find_config, find_tool
from .process import die_with_parent, stop_process
from .runner import PipelineRunner


class RunFolder:
    """Runs tools in a folder; what they print goes to a log or to the console.

    Args:
        root: The folder; relative paths of configs start here.
        log: File that gets what the tools print. Defaults to None, the console.
    """

    def __init__(self, root: Path, log: Path | None = None) -> None:
        self.root = root.resolve()
        self.log = log
        self.deadline: float | None = None  # time.monotonic(), after which no tool runs
        self._process: subprocess.Popen | None = None

    def tool(self, script: str, *arguments: str | Path | int) -> None:
        """Run one of the project's tools, or another script, in the folder.

        Args:
            script: Path such as ``'tools/train.py'``, or an absolute one.
            *arguments: Of its command line.

        Raises:
            RuntimeError: It failed, or there was no time left for it.
        """
        left = None if self.deadline is None else self.deadline - time.monotonic()
        file = Path(script) if Path(script).is_absolute() else find_tool(script)
        words = [sys.executable, str(file), *map(str, arguments)]
        with ExitStack() as stack:
            out = self.log and stack.enter_context(self.log.open('a'))
            print(f'[{self.root.name}]', *words[1:], flush=True, file=out)
            self._process = subprocess.Popen(
                words,
                cwd=self.root,
                env=PipelineRunner.environment(),
                stdout=out,
                stderr=out,
                preexec_fn=die_with_parent if sys.platform == 'linux' else None,
            )
            try:
                status = self._process.wait(left)
            except subprocess.TimeoutExpired:
                stop_process(self._process)
                text = 'No time is left; the same command continues.'
                raise RuntimeError(text) from None
            except BaseException:
                stop_process(self._process)
                raise
        if status:
            where = f' Its log: {self.log}' if self.log else ''
            raise RuntimeError(f'{script} failed; the same command continues.{where}')

    def stop(self) -> None:
        """End the tool that another thread runs here, if there is one."""
        if self._process is not None and self._process.poll() is None:
            stop_process(self._process)

    def pipeline(self, config: str | Path, *options: str | Path | int) -> None:
        """Run a pipeline, or what is missing of it.

        Args:
            config: Pipeline file, absolute or ``'mmwsis::METHOD/pipeline.py'``.
            *options: Further ones of its command line.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        file = find_config(config, Path.cwd())
        self.tool('tools/run_pipeline.py', file, '--root', self.root, *options)

    def read(self, *parts: str) -> dict[str, Any] | None:
        """Return a JSON file below the root, or None where there is none."""
        file = self.root.joinpath(*parts)
        return json.loads(file.read_text()) if file.is_file() else None
