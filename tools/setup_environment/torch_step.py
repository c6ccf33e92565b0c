"""Installs PyTorch, unless one is there."""

import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from console import Console
from problems import Problem
from python_step import probe_torch

_CPU_INDEX = 'https://download.pytorch.org/whl/cpu'
# NumPy 2 came after these were built; they crash with it.
_FIRST_TORCH_FOR_NUMPY_2 = (2, 3)
_OPENMMLAB = ('mmengine', 'mmcv', 'mmdet', 'mmsegmentation')


def has_nvidia_gpu() -> bool:
    """Tell whether the NVIDIA driver works on this machine."""
    if shutil.which('nvidia-smi') is None:
        return False
    try:
        return subprocess.run(['nvidia-smi', '-L'], capture_output=True).returncode == 0
    except OSError:
        return False


def install_torch(console: Console, python: Path, verified: str) -> dict[str, Any]:
    """Install torch into the environment unless it can import one.

    Args:
        console: Output.
        python: Python of the environment.
        verified: Verified version, for example ``'2.13.0'``.

    Returns:
        Facts about the torch in use.

    Raises:
        Problem: torch cannot be installed, or not imported afterwards.
    """
    found = probe_torch(python)
    if found is None:
        _install(console, python, verified)
        found = probe_torch(python)
    if found is None:
        raise Problem(
            'torch was installed but cannot be imported.',
            f'See the error: {python} -c "import torch"; then delete .venv and run '
            'make again.',
        )
    device = f'CUDA {found["cuda"]}' if found['cuda'] else 'CPU only'
    console.note(f'torch {found["version"]} ({device}), {found["file"]}')
    if found['version'].split('+')[0] != verified:
        console.note(f'the verified version is {verified}; yours is used as it is')
    return found


def _install(console: Console, python: Path, verified: str) -> None:
    pip = [str(python), '-m', 'pip', 'install']
    if platform.system() == 'Linux' and not has_nvidia_gpu():
        console.note('no NVIDIA GPU here: looking for the smaller CPU-only build')
        # One quick try: where that index cannot be reached, the usual one serves.
        extra = ['--extra-index-url', _CPU_INDEX, '--retries', '1', '--timeout', '20']
        try:
            console.run(
                [*pip, f'torch=={verified}+cpu', *extra], 'installing torch (CPU)'
            )
            return
        except Problem as problem:
            reason = problem.reason.splitlines()[0]
            console.note(f'not to be had ({reason}); the full build does as well')
    console.run([*pip, f'torch=={verified}'], 'installing torch')


def write_constraints(verified: str, torch_version: str) -> str:
    """Return pip constraints in which torch is the one in use.

    Without them, pip might replace the torch that mmcv is compiled for.

    Args:
        verified: Text of ``requirements/verified.txt``.
        torch_version: Full version of the torch in use, with ``+cpu`` or ``+cu...``.

    Returns:
        Text of a constraints file.
    """
    lines = [line for line in verified.splitlines() if not line.startswith('torch==')]
    lines.append(f'torch=={torch_version}')
    numbers = tuple(int(part) for part in re.findall(r'\d+', torch_version)[:2])
    if numbers < _FIRST_TORCH_FOR_NUMPY_2:
        lines = [line for line in lines if line.startswith((*_OPENMMLAB, 'torch=='))]
        lines += ['numpy<2', 'opencv-python<4.12', 'setuptools<81']
    return '\n'.join(lines) + '\n'
