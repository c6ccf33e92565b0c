"""Make the environment of this checkout in ``.venv``; needs nothing but Python.

pip fetches uv into ``.venv``; uv does the rest and keeps what it downloads, this keeps
mmcv's wheels. ``MMWSIS_REUSE_TORCH=0`` ignores a torch of the Python that runs this,
``MAX_JOBS`` is how many files compile at once.
"""

import ast
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]
sys.path.append(str(CHECKOUT / 'mmwsis' / 'utils'))
from collect_env import REQUIREMENTS, ask, torch_facts  # noqa: E402

VENV, FOLDER = CHECKOUT / '.venv', CHECKOUT / 'requirements'
PYTHON, UV, STAMP = VENV / 'bin/python', VENV / 'bin/uv', VENV / 'mmwsis-stamp.txt'
WHEELS = Path(os.getenv('XDG_CACHE_HOME') or Path.home() / '.cache', 'mmwsis/wheels')
COMPILER = 'FORCE_CUDA TORCH_CUDA_ARCH_LIST MMCV_CUDA_ARGS CUDA_HOME CC CXX CFLAGS'
SETTINGS = 'index-url extra-index-url find-links constraint trusted-host cert'
HINTS = f"""\nThe reason stands above. This often helps; then run the command again:
  no network: set https_proxy, PIP_INDEX_URL (a mirror) or PIP_FIND_LINKS (a folder)
  no venv: sudo apt install python3-venv     old Python: make PYTHON=/path/to/python ...
  compiler killed: MAX_JOBS=1 make ...     mmcv broken: rm -r {WHEELS}
  no nvcc, or of another version: set CUDA_HOME, or CUDA_VISIBLE_DEVICES= make ..."""
NO_COMPILER = """mmcv has to be compiled once, which takes a C++ compiler and Python.h:
sudo apt install build-essential python3-dev  or, on macOS,  xcode-select --install"""


def main() -> None:
    """Make the environment, unless nothing changed since it was made."""
    before = STAMP.read_text().splitlines() if STAMP.is_file() else ['', str(CHECKOUT)]
    if before == stamp(before[0]):
        return print('The environment in .venv is ready.')
    STAMP.unlink(missing_ok=True)
    if ask(PYTHON, '-c', 'import pip')[1] or before[1] != str(CHECKOUT):
        run(sys.executable, '-m', 'venv', '--clear', VENV)
    run(PYTHON, '-m', 'pip', 'install', '-q', 'uv>=0.13')
    settings = pip_settings(ask(PYTHON, '-m', 'pip', 'config', 'list')[0])
    # Without it the first start of every tool would compile, and every start where
    # PYTHONDONTWRITEBYTECODE is set, as in many containers.
    settings.append('--compile-bytecode')
    install = [UV, 'pip', 'install', '-p', PYTHON, *settings]
    check_compiler()
    run(*install, '-r', FOLDER / 'build.txt', *missing_torch(install))
    torch = torch_facts(PYTHON) or sys.exit(HINTS)
    run(*install, *all_but_torch(torch['version']), mmcv_wheel(torch))
    editable = ['--no-deps', '--no-build-isolation', '-e', CHECKOUT]
    run(PYTHON, '-m', 'pip', 'install', '-q', *editable)
    run(PYTHON, '-m', 'mmwsis.doctor')
    STAMP.write_text('\n'.join(stamp(torch['file'])))


def stamp(torch: str) -> list[str]:
    """Return what the environment is made from; equal means nothing to do."""
    files = [Path(torch), CHECKOUT / 'setup.py', CHECKOUT / 'pyproject.toml']
    files += [Path(__file__), *sorted(FOLDER.glob('*.txt'))]
    content = [path.read_bytes() for path in files if path.is_file()]
    digest = hashlib.sha256(b'\0'.join(content)).hexdigest()
    return [torch, str(CHECKOUT), f'{digest} {PYTHON.exists()}']


def pip_settings(listing: str) -> list[str]:
    """Turn the output of ``pip config list``, which uv does not read, into options."""
    found = {}
    for section in ('global', 'install', ':env:'):  # pip's order: the last one wins
        lines = re.findall(rf'^{section}\.(\S+?)=(.*)', listing, re.MULTILINE)
        found |= {name: ast.literal_eval(value).split() for name, value in lines}
    options = [f'--{n}={value}' for n in SETTINGS.split() for value in found.get(n, ())]
    no_index = ['--no-index'] * (found.get('no-index') in (['1'], ['true']))
    return [*options, *no_index, '--index-strategy=unsafe-best-match']  # as pip does


def check_compiler() -> None:
    """Stop before the long downloads where mmcv must be compiled and cannot be."""
    names = os.environ.get('CXX', 'c++').partition(' ')[0], 'g++', 'clang++'
    header = Path(sysconfig.get_path('include'), 'Python.h')
    ready = any(map(shutil.which, names)) and header.is_file()
    if not ready and not any(WHEELS.glob('*/*.whl')):
        sys.exit(NO_COMPILER)


def missing_torch(install: list[str | Path]) -> list[str]:
    """Return what to install as torch: nothing where there is one."""
    found = torch_facts(PYTHON)
    if not found and os.environ.get('MMWSIS_REUSE_TORCH') != '0':
        found = torch_facts()
        for site in VENV.glob('lib/python*/site-packages') if found else ():
            print(f'Reusing torch {found["version"]}, {found["file"]}', flush=True)
            (site / 'reused_torch.pth').write_text(str(Path(found['file']).parents[1]))
    if found:
        return []
    torch = REQUIREMENTS['torch']
    if platform.system() == 'Linux' and not ask('nvidia-smi', '-L')[0]:
        # Where uv looks anyway there may be a small CPU build, as in PyTorch's index.
        for more in [], ['--index', 'https://download.pytorch.org/whl/cpu']:
            if not ask(*install, '--dry-run', f'{torch}+cpu', *more)[1]:
                return [f'{torch}+cpu', *more]
    return [torch]


def all_but_torch(version: str) -> list[str | Path]:
    """Return options that install the rest beside a version of torch."""
    old = version.startswith(('2.0.', '2.1.', '2.2.'))
    pins = FOLDER / ('verified_numpy1.txt' if old else 'verified.txt')
    overrides = ['--overrides', FOLDER / 'no_torch.txt', '--reinstall-package', 'mmcv']
    return ['-r', FOLDER / 'dev.txt', '-c', pins, *overrides]


def mmcv_wheel(torch: dict[str, Any]) -> Path:
    """Return the wheel of mmcv for a torch: the one that is kept, or a new one.

    uv keeps wheels too, but compiles anew where an index cannot tell it that an sdist
    is still the same.
    """
    facts = [REQUIREMENTS['mmcv'], *(torch[n] for n in ('version', 'abi', 'gpus'))]
    facts += [*platform.libc_ver(), *map(os.getenv, COMPILER.split())]
    key = hashlib.sha256(repr(facts).encode()).hexdigest()[:8]
    kept = WHEELS / f'mmcv_torch-{torch["version"]}_{key}'
    kept.mkdir(parents=True, exist_ok=True)
    print(f'mmcv: {kept} (waits while another set-up compiles it)', flush=True)
    with open(kept / 'lock', 'w') as lock, tempfile.TemporaryDirectory(dir=kept) as new:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for wheel in kept.glob('*.whl'):
            if ask(PYTHON, '-m', 'zipfile', '-t', wheel)[0] == 'Done testing\n':
                return wheel
        print('mmcv is compiled once for each torch, 10 min on two cores.', flush=True)
        path = f'{UV.parent}{os.pathsep}{os.environ["PATH"]}'  # where ninja is
        os.environ |= {'MMCV_WITH_OPS': '1', 'PATH': path}
        # pip's own cache would give the wheel that was compiled for another torch.
        options = ['--no-cache-dir', '--no-deps', '--no-build-isolation', '-w', new]
        run(PYTHON, '-m', 'pip', 'wheel', *options, REQUIREMENTS['mmcv'])
        (wheel,) = Path(new).glob('*.whl')
        return wheel.replace(kept / wheel.name)


def run(*command: str | Path) -> None:
    """Run a command, its output shown; where it fails, the set-up ends."""
    if subprocess.run(command).returncode:
        sys.exit(HINTS)


if __name__ == '__main__':
    try:
        main()
    except KeyboardInterrupt:
        sys.exit('Interrupted. Run the same command again: it goes on from here.')
