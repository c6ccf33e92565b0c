"""Makes ``.venv`` and asks Pythons about the packages that they have."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import state
from console import Console, clean_environment
from problems import NO_VENV

_TORCH_PROBE = """
import json, sysconfig, torch
from pathlib import Path
print(json.dumps(dict(
    version=torch.__version__, cuda=torch.version.cuda,
    cuda_available=torch.cuda.is_available(),
    arch=['%d%d' % torch.cuda.get_device_capability(i)
          for i in range(torch.cuda.device_count())],
    file=str(Path(torch.__file__).with_name('version.py')),
    site=str(Path(torch.__file__).parents[1]),
    tag='cp' + sysconfig.get_python_version().replace('.', ''),
    platform=sysconfig.get_platform())))
"""
_REUSE_FILE = 'mmwsis-reused-torch.pth'


def probe_torch(python: str | Path) -> dict[str, Any] | None:
    """Ask a Python for its torch.

    Args:
        python: The interpreter.

    Returns:
        Version, CUDA facts and place of torch; ``None`` if it cannot be imported.
    """
    result = subprocess.run(
        [str(python), '-W', 'ignore', '-c', _TORCH_PROBE],
        capture_output=True,
        text=True,
        env=clean_environment(),
    )
    try:
        return json.loads(result.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        return None


def runs(python: Path, code: str) -> bool:
    """Tell whether a Python executes a line of code without an error.

    Args:
        python: The interpreter.
        code: The code.
    """
    try:
        result = subprocess.run(
            [str(python), '-W', 'ignore', '-c', code],
            capture_output=True,
            env=clean_environment(),
        )
    except OSError:
        return False
    return result.returncode == 0


def make_venv(
    console: Console, venv: Path, checkout: Path, torch: dict[str, Any] | None
) -> None:
    """Make ``.venv`` unless a working one is there.

    Args:
        console: Output.
        venv: Folder of the environment.
        checkout: Root of the repository.
        torch: Facts about a torch outside to be reused, from :func:`probe_torch`.

    Raises:
        Problem: This Python cannot make environments.
    """
    python = venv / 'bin' / 'python'
    known = state.load(venv)
    moved = known is not None and known.get('checkout') != str(checkout)
    if not moved and runs(
        python, 'import pip, sys; assert sys.version_info >= (3, 10)'
    ):
        console.note(f'{venv.name} is there and is completed')
        return
    if moved:
        console.note('the checkout was moved or copied: .venv is made anew')
        shutil.rmtree(venv)
    if not runs(Path(sys.executable), 'import venv, ensurepip'):
        raise NO_VENV
    flags = ['--clear'] if python.is_symlink() or python.exists() else []
    if torch is not None and sys.prefix == sys.base_prefix:
        flags.append('--system-site-packages')
    console.run([sys.executable, '-m', 'venv', *flags, str(venv)], 'making .venv')
    if torch is not None and sys.prefix != sys.base_prefix:
        # This Python is itself an environment; --system-site-packages would show
        # the packages of *its* parent. A path file shows its own.
        for site in venv.glob('lib/python*/site-packages'):
            (site / _REUSE_FILE).write_text(torch['site'] + '\n', encoding='utf-8')


def find_outside_torch(venv: Path) -> dict[str, Any] | None:
    """Find a torch that was there before us, in the Python that runs this.

    Args:
        venv: Folder of our own environment, which is not "outside".

    Returns:
        Facts from :func:`probe_torch`, or ``None``.
    """
    if Path(sys.prefix).resolve() == venv.resolve():
        return None
    return probe_torch(sys.executable)


def warn_of_untried_python() -> None:
    """Say so if this Python is newer than those that were tried."""
    if sys.version_info >= (3, 14):
        version = '.'.join(map(str, sys.version_info[:3]))
        print(
            f'Python {version} is newer than what was tried (3.10 to 3.13); if a '
            'package is missing for it: make PYTHON=/path/to/python3.11 ...'
        )
