"""Command lines: plain Python, torchrun on one machine, or Slurm."""

import ast
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LAUNCHERS = ('none', 'pytorch', 'slurm')


@dataclass(frozen=True)
class Launch:
    """How train, generate and test stages are started.

    The same variables as those of ``tools/dist_train.sh`` and
    ``tools/slurm_train.sh`` are honoured: ``PORT``; ``PARTITION``,
    ``GPUS_PER_NODE``, ``CPUS_PER_TASK``, ``SRUN_ARGS``.

    Attributes:
        launcher: One of ``LAUNCHERS``.
        gpus: Number of processes, at least 1.

    Raises:
        ValueError: Unknown launcher, or more than one process without a launcher.
    """

    launcher: str = 'none'
    gpus: int = 1

    def __post_init__(self) -> None:
        if self.launcher not in LAUNCHERS:
            raise ValueError(
                f'launcher must be one of {LAUNCHERS}, got {self.launcher!r}.'
            )
        if self.gpus < 1:
            raise ValueError(f'gpus must be at least 1, got {self.gpus}.')
        if self.launcher == 'none' and self.gpus > 1:
            raise ValueError(
                f'{self.gpus} GPUs need --launcher pytorch or slurm, got none.'
            )
        if self.launcher == 'pytorch' and int(os.environ.get('NNODES', '1')) > 1:
            raise ValueError(
                'The pipeline starts torchrun on one machine only, but NNODES is '
                f'{os.environ["NNODES"]}. Use --launcher slurm, or run the printed '
                'commands by hand with tools/dist_train.sh on every node.'
            )

    def wrap(self, script: Path, arguments: Sequence[str]) -> list[str]:
        """Return the command that runs a tool on all processes.

        Args:
            script: Tool that knows ``--launcher``.
            arguments: Its arguments.
        """
        tail = [str(script), *arguments]
        if self.launcher == 'none':
            return [sys.executable, *tail]
        if self.launcher == 'pytorch':
            return [
                *(sys.executable, '-m', 'mmwsis.engine.torchrun'),
                f'--nproc_per_node={self.gpus}',
                f'--master_port={os.environ.get("PORT", "29500")}',
                *(*tail, '--launcher', 'pytorch'),
            ]
        return [*self._srun(), sys.executable, '-u', *tail, '--launcher', 'slurm']

    def _srun(self) -> list[str]:
        """The ``srun`` call of ``tools/slurm_train.sh``."""
        per_node = min(self.gpus, int(os.environ.get('GPUS_PER_NODE', '8')))
        partition = os.environ.get('PARTITION')
        return [
            'srun',
            *(('-p', partition) if partition else ()),
            '--job-name=mmwsis',
            f'--gres=gpu:{per_node}',
            f'--ntasks={self.gpus}',
            f'--ntasks-per-node={per_node}',
            f'--cpus-per-task={os.environ.get("CPUS_PER_TASK", "5")}',
            '--kill-on-bad-exit=1',
            *shlex.split(os.environ.get('SRUN_ARGS', '')),
        ]


def shown(command: Sequence[str]) -> str:
    """Return a command as one would type it.

    Args:
        command: Program and arguments; this very Python is shown as ``python``
            where typing that starts it.
    """
    words = list(command)
    if shutil.which('python') == sys.executable:
        words = ['python' if word == sys.executable else word for word in words]
    return shlex.join(words)


def option_arguments(options: dict[str, Any]) -> list[str]:
    """Write config overrides as ``--cfg-options`` of the command line.

    Args:
        options: Dotted key -> number, string, bool, ``None``, or a (nested) list or
            tuple of these. A dict is spread over dotted keys.

    Returns:
        ``['--cfg-options', 'a.b=1', ...]``; empty without options.

    Raises:
        ValueError: A value that the command line cannot express.
    """
    flat = _spread(options)
    if not flat:
        return []
    return ['--cfg-options', *(f'{key}={_text(key, flat[key])}' for key in flat)]


def _spread(options: dict[str, Any], prefix: str = '') -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in options.items():
        name = f'{prefix}.{key}' if prefix else str(key)
        if isinstance(value, dict):
            if not value:
                raise ValueError(f'cfg_options: {name} is an empty dict.')
            flat.update(_spread(value, name))
        else:
            flat[name] = value
    return flat


def _text(key: str, value: Any) -> str:
    """One value in the notation of MMEngine's ``DictAction``."""
    if isinstance(value, (list, tuple)):
        inner = ','.join(_text(key, item) for item in value)
        return f'[{inner}]' if isinstance(value, list) else f'({inner})'
    if value is None or isinstance(value, (bool, int, float)):
        return str(value)
    if isinstance(value, str) and value and not set(value) & set('[](),\'"'):
        try:
            ast.literal_eval(value)
        except (ValueError, SyntaxError):
            return value
    raise ValueError(
        f'cfg_options: {key} = {value!r} cannot be given on the command line; '
        'write a small config that inherits and sets it.'
    )
