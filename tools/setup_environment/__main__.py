"""Makes the environment of this checkout in ``.venv``; needs nothing but Python.

Run by ``tools/setup_env.sh``, which finds a Python. Every step looks first whether its
work is done, so an interrupted run goes on where it stopped, and a finished
environment is recognised at once.

Environment variables: ``MMWSIS_CACHE`` (where compiled wheels are kept, default
``~/.cache/mmwsis``), ``MMWSIS_REUSE_TORCH=0`` (install torch even where one is there),
``MMWSIS_MMCV_OPS=cpu|cuda``, ``MAX_JOBS`` (files compiled at once).
"""

import os
import re
import signal
import sys
import time
from pathlib import Path

import state
from console import Console, format_seconds
from mmcv_step import CHECK, check_compiler_early, install_mmcv
from problems import Problem
from python_step import find_outside_torch, make_venv, runs, warn_of_untried_python
from torch_step import install_torch, write_constraints

CHECKOUT = Path(__file__).resolve().parents[2]
VENV = CHECKOUT / '.venv'
STEPS = 6


def main() -> int:
    """Make the environment; return the exit code."""
    begin = time.monotonic()
    if state.is_ready(VENV, CHECKOUT):
        print('The environment in .venv is ready.')
        return 0
    signal.signal(signal.SIGTERM, _interrupt)
    console = Console(VENV / 'setup.log', STEPS)
    try:
        warn_of_untried_python()
        print(
            f'Setting up mmwsis in {VENV}\n'
            f'(all output of pip and of the compiler: {console.log_path})'
        )
        set_up(console)
    except Problem as problem:
        print(f'\nCannot go on: {problem.reason}\n\nWhat to do:\n{problem.remedy}')
        return 1
    except KeyboardInterrupt:
        print('\nInterrupted. Run the same command again: it goes on from here.')
        return 130
    print(f'The environment is ready ({format_seconds(time.monotonic() - begin)}).')
    return 0


def set_up(console: Console) -> None:
    """Run all steps.

    Args:
        console: Output.

    Raises:
        Problem: A step failed.
    """
    python = VENV / 'bin' / 'python'
    pip = [str(python), '-m', 'pip', 'install']
    verified = (CHECKOUT / 'requirements' / 'verified.txt').read_text(encoding='utf-8')
    state.discard(VENV)

    console.step(f'Virtual environment with {sys.executable}', '10 s')
    reuse = os.environ.get('MMWSIS_REUSE_TORCH', '1') != '0'
    outside = find_outside_torch(VENV) if reuse else None
    if outside is not None:
        console.note(f'reusing torch {outside["version"]} from {outside["site"]}')
    else:
        check_compiler_early(python, _pinned(verified, 'mmcv'))
    make_venv(console, VENV, CHECKOUT, outside)

    console.step('PyTorch', '1 to 5 min; nothing if there is one')
    torch = install_torch(console, python, _pinned(verified, 'torch'))
    constraints = VENV / 'constraints.txt'
    constraints.write_text(
        write_constraints(verified, torch['version']), encoding='utf-8'
    )
    limits = ['-c', str(constraints)]

    console.step('Tools for building', '15 s')
    build = str(CHECKOUT / 'requirements' / 'build.txt')
    console.run([*pip, '-r', build, *limits], 'installing setuptools, wheel, ninja')

    console.step('mmcv with its operators', '10 s; the first time about 10 min')
    version = _pinned(verified, 'mmcv')
    install_mmcv(console, python, VENV, version, torch)

    console.step('MMEngine, MMDetection, MMSegmentation and the rest', '1 to 2 min')
    files = [
        part
        for name in ('runtime', 'mminstall', 'tests')
        for part in ('-r', str(CHECKOUT / 'requirements' / f'{name}.txt'))
    ]
    console.run([*pip, *files, *limits], 'installing packages')
    if not (VENV / 'bin' / 'ruff').exists():
        # pip is content with the one of the environment whose torch is reused.
        own = ['--ignore-installed', '--no-deps', 'ruff']
        console.run([*pip, *own, *limits], 'installing ruff')

    console.step('mmwsis itself, and a check', '30 s')
    if not runs(python, CHECK):
        console.note('mmcv does not work with this torch: it is built anew')
        install_mmcv(console, python, VENV, version, torch, rebuild=True)
        if not runs(python, CHECK):
            raise Problem(
                f'mmcv {version} was built for torch {torch["version"]} but its '
                'operators do not run.',
                f'See the error: {python} -c "import mmcv.ops"',
            )
    flags = ['--no-deps', '--no-build-isolation']
    console.run([*pip, '-e', str(CHECKOUT), *flags], 'installing mmwsis')
    doctor = [str(python), '-m', 'mmwsis.doctor']
    console.run(doctor, 'checking the environment with mmwsis.doctor')
    state.save(VENV, CHECKOUT, torch['file'])


def _pinned(verified: str, name: str) -> str:
    found = re.search(rf'^{name}==(\S+)', verified, re.MULTILINE)
    if found is None:
        raise Problem(
            f'requirements/verified.txt has no line {name}==VERSION.',
            'Restore it: git checkout requirements/verified.txt',
        )
    return found[1]


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == '__main__':
    sys.exit(main())
