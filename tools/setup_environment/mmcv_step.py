"""Builds mmcv with its operators once for every torch, and keeps the wheel."""

import contextlib
import os
import re
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from console import Console, clean_environment
from problems import NO_COMPILER, NO_HEADERS, NO_NVCC, Problem
from python_step import runs

# Loading is not enough: a library built for another torch may fail at the call.
CHECK = (
    'import torch; from mmcv.ops import nms; '
    'nms(torch.tensor([[0., 0., 2., 2.]]), torch.tensor([.5]), .5)'
)
_VERSION_CHECK = (
    'from importlib.metadata import version; '
    'v = tuple(map(int, version("mmcv").split(".")[:2])); assert (2, 0) <= v < (2, 2)'
)
_KEY_FILE = '.mmcv-wheel'


def cache_directory() -> Path:
    """Return where wheels are kept, outside the checkout."""
    chosen = os.environ.get('MMWSIS_CACHE')
    return Path(chosen) if chosen else Path.home() / '.cache' / 'mmwsis'


def operator_kind(torch: dict[str, Any]) -> str:
    """Return ``'cpu'`` or ``'cuda'``, the operators that mmcv is built with.

    Args:
        torch: Facts from :func:`python_step.probe_torch`.

    Raises:
        Problem: ``MMWSIS_MMCV_OPS`` has another value.
    """
    chosen = os.environ.get('MMWSIS_MMCV_OPS') or (
        'cuda' if torch['cuda_available'] else 'cpu'
    )
    if chosen not in ('cpu', 'cuda'):
        raise Problem(
            f'MMWSIS_MMCV_OPS is {chosen!r}; it may be cpu or cuda.',
            'Unset it to let the set-up decide.',
        )
    return chosen


def wheel_key(version: str, torch: dict[str, Any]) -> str:
    """Name everything that a compiled mmcv depends on.

    Args:
        version: Version of mmcv.
        torch: Facts from :func:`python_step.probe_torch`.

    Returns:
        A folder name; equal names mean interchangeable wheels.
    """
    kind = operator_kind(torch)
    if kind == 'cuda':
        archs = os.environ.get('TORCH_CUDA_ARCH_LIST') or '-'.join(
            sorted(set(torch['arch']))
        )
        kind = f'cuda{torch["cuda"]}-sm{archs}'
    parts = (f'mmcv-{version}', f'torch-{torch["version"]}', torch['tag'])
    return re.sub(r'[^\w.+-]+', '_', '_'.join((*parts, torch['platform'], kind)))


def check_compiler_early(python: Path, version: str) -> None:
    """Refuse to begin where mmcv will have to be compiled and cannot be.

    Otherwise that would come out after torch's long download.

    Args:
        python: Python of the environment, which may not exist yet.
        version: Version of mmcv.

    Raises:
        Problem: There is no compiler.
    """
    kept = (cache_directory() / 'wheels').glob(f'mmcv-{version}_*/mmcv-*.whl')
    if not any(kept) and not runs(python, CHECK):
        _check_compiler(None)


def install_mmcv(
    console: Console,
    python: Path,
    venv: Path,
    version: str,
    torch: dict[str, Any],
    rebuild: bool = False,
) -> None:
    """Install mmcv for the torch in use, building it if no wheel is kept.

    Args:
        console: Output.
        python: Python of the environment.
        venv: Folder of the environment.
        version: Version of mmcv.
        torch: Facts about the torch in use.
        rebuild: Distrust what is installed and what is kept.

    Raises:
        Problem: No compiler, no memory, no network, ...
    """
    key = wheel_key(version, torch)
    marker = venv / _KEY_FILE
    if not rebuild:
        installed_for = marker.read_text() if marker.is_file() else None
        # Without a marker somebody else installed it; then it has to prove itself.
        fits = installed_for in (None, key)
        if fits and runs(python, _VERSION_CHECK) and runs(python, CHECK):
            console.note('mmcv with operators is there and works')
            return
        if not fits:
            console.note(f'mmcv was built for {installed_for}; needed is {key}')
    marker.unlink(missing_ok=True)
    wheel = _kept_or_built_wheel(console, python, version, torch, rebuild)
    flags = ['--no-deps', '--no-index', '--force-reinstall']
    console.run(
        [str(python), '-m', 'pip', 'install', *flags, str(wheel)], 'installing mmcv'
    )
    marker.write_text(key)


def _kept_or_built_wheel(
    console: Console, python: Path, version: str, torch: dict[str, Any], rebuild: bool
) -> Path:
    folder = cache_directory() / 'wheels' / wheel_key(version, torch)
    folder.mkdir(parents=True, exist_ok=True)
    with _lock(console, folder / '.lock'):
        kept = sorted(folder.glob('mmcv-*.whl'))
        if kept and not rebuild:
            console.note(f'reusing the wheel {kept[-1]}')
            return kept[-1]
        _check_compiler(torch)
        return _build(console, python, version, torch, folder)


def _build(
    console: Console, python: Path, version: str, torch: dict[str, Any], folder: Path
) -> Path:
    jobs = int(os.environ.get('MAX_JOBS') or 0) or usable_jobs()
    cpu_only = operator_kind(torch) == 'cpu'
    # Seen: 9 minutes with two jobs, CPU operators.
    usual = (
        f'usually about {max(1, round(20 / jobs))} min' if cpu_only else 'be patient'
    )
    console.note(f'compiling mmcv {version} with {jobs} job(s), {usual}; once only')
    # ninja may be installed here, or in the environment whose torch is reused.
    programs = [str(python.parent), str(Path(sys.executable).parent)]
    search_path = os.pathsep.join([*programs, os.environ.get('PATH', os.defpath)])
    changes = dict(MMCV_WITH_OPS='1', MAX_JOBS=str(jobs), PATH=search_path)
    if cpu_only:
        changes.update(CUDA_VISIBLE_DEVICES='', FORCE_CUDA='0')
    else:
        changes['FORCE_CUDA'] = '1'
    # pip writes into a folder of its own, and the finished wheel is moved: a build
    # that was cut short is never taken for a wheel.
    with tempfile.TemporaryDirectory(prefix='.building-', dir=folder) as work:
        console.run(
            [str(python), '-m', 'pip', 'wheel', f'mmcv=={version}', '-v']
            # pip's own cache does not know for which torch a wheel was built.
            + ['--no-build-isolation', '--no-deps', '--no-cache-dir']
            + ['--no-binary', 'mmcv', '-w', work],
            'compiling mmcv',
            env=clean_environment(**changes),
        )
        built = next(Path(work).glob('mmcv-*.whl'))
        target = folder / built.name
        os.replace(built, target)
    return target


def usable_jobs() -> int:
    """Return how many files may be compiled at once: one a core, 2 GB each."""
    try:
        cores = len(os.sched_getaffinity(0))
        memory = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    except (AttributeError, OSError, ValueError):  # macOS
        return os.cpu_count() or 1
    return max(1, min(cores, memory // (2 << 30)))


def _check_compiler(torch: dict[str, Any] | None) -> None:
    names = [os.environ.get('CXX', ''), 'c++', 'g++', 'clang++']
    if not any(name and shutil.which(name.split()[0]) for name in names):
        raise NO_COMPILER
    if not Path(sysconfig.get_path('include'), 'Python.h').is_file():
        raise NO_HEADERS
    if torch is not None and operator_kind(torch) == 'cuda':
        home = os.environ.get('CUDA_HOME') or '/usr/local/cuda'
        if not shutil.which('nvcc') and not Path(home, 'bin', 'nvcc').is_file():
            raise NO_NVCC


@contextlib.contextmanager
def _lock(console: Console, path: Path) -> Iterator[None]:
    """Let one process at a time build; the others then find its wheel."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with open(path, 'w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.note('another process is building the same wheel; waiting for it')
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
