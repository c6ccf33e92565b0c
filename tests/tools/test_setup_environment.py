"""The set-up of ``.venv``: what it decides, and what it says when it cannot go on."""

import importlib.util
import os
import re
import subprocess
import sys
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor, TimeoutError
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CPU = dict(version='2.13.0+cpu', abi='cp311', gpus=[], file='/x/torch/version.py')
CUDA = dict(version='2.12.0+cu130', abi='cp311', gpus=['9.0'], file='/y/torch/v.py')


@pytest.fixture
def setup(monkeypatch, tmp_path):
    """The set-up's module, for a checkout in ``tmp_path`` that nothing was done for."""
    monkeypatch.setattr(sys, 'path', list(sys.path))
    path = ROOT / 'tools' / 'setup_environment.py'
    spec = importlib.util.spec_from_file_location('setup_environment', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    checkout = tmp_path / 'checkout'
    (checkout / 'requirements').mkdir(parents=True)
    (checkout / 'requirements' / 'runtime.txt').write_text('numpy')
    venv = checkout / '.venv'
    (venv / 'bin').mkdir(parents=True)
    (venv / 'lib' / 'python3.11' / 'site-packages').mkdir(parents=True)
    (venv / 'bin' / 'python').write_text('')
    for name, value in (
        ('CHECKOUT', checkout),
        ('VENV', venv),
        ('FOLDER', checkout / 'requirements'),
        ('PYTHON', venv / 'bin' / 'python'),
        ('STAMP', venv / 'stamp.txt'),
        ('WHEELS', tmp_path / 'wheels'),
        ('ask', lambda *command: ('', 'not there')),
    ):
        monkeypatch.setattr(module, name, value)
    for name in ('MMWSIS_REUSE_TORCH', *module.COMPILER.split()):
        monkeypatch.delenv(name, raising=False)
    return module


def _give_torch(setup, monkeypatch, inside=None, outside=None):
    def facts(python=None):
        return inside if python == setup.PYTHON else outside

    monkeypatch.setattr(setup, 'torch_facts', facts)


def test_cuda_torch_of_this_python_is_reused(setup, monkeypatch):
    _give_torch(setup, monkeypatch, outside=CUDA)
    assert setup.missing_torch([]) == []
    (path,) = setup.VENV.rglob('reused_torch.pth')
    assert path.read_text() == '/y'


def test_torch_that_is_there_stays(setup, monkeypatch):
    _give_torch(setup, monkeypatch, inside=CPU, outside=CUDA)
    assert setup.missing_torch([]) == []
    assert not list(setup.VENV.rglob('*.pth'))


def test_reuse_can_be_declined(setup, monkeypatch):
    _give_torch(setup, monkeypatch, outside=CUDA)
    monkeypatch.setenv('MMWSIS_REUSE_TORCH', '0')
    assert setup.missing_torch([]) == ['torch==2.13.0']
    assert not list(setup.VENV.rglob('*.pth'))


@pytest.mark.parametrize(
    ('succeeds', 'expected'),
    [
        (lambda c: 'nvidia-smi' in c, 'torch==2.13.0'),  # there is a GPU
        (lambda c: '--index' not in c and '--dry-run' in c, 'torch==2.13.0+cpu'),
        (lambda c: '--index' in c, 'torch==2.13.0+cpu --index'),
        (lambda c: False, 'torch==2.13.0'),  # no CPU build can be reached
    ],
)
def test_cpu_build_is_taken_where_there_is_no_gpu(
    setup, monkeypatch, succeeds, expected
):
    _give_torch(setup, monkeypatch)
    monkeypatch.setattr(setup.platform, 'system', lambda: 'Linux')
    answer = lambda *command: ('yes', '') if succeeds(command) else ('', 'no')  # noqa: E731
    monkeypatch.setattr(setup, 'ask', answer)
    assert ' '.join(setup.missing_torch(['uv'])[:2]) == expected


@pytest.fixture
def compiler(setup, monkeypatch):
    """Stands for pip's compiling of mmcv; the list has a path for each time."""
    built = []

    def run(*command):
        folder = Path(command[command.index('-w') + 1])
        assert '--no-cache-dir' in command and '--no-build-isolation' in command
        assert os.environ['PATH'].startswith(f'{setup.UV.parent}{os.pathsep}')
        built.append(_write_wheel(folder / 'mmcv-2.1.0-cp311.whl'))

    for name in ('PATH', 'MMCV_WITH_OPS'):
        monkeypatch.setenv(name, os.environ.get(name, '1'))
    monkeypatch.setattr(setup, 'run', run)
    monkeypatch.setattr(setup, 'PYTHON', sys.executable)
    monkeypatch.setattr(setup, 'ask', sys.modules['collect_env'].ask)
    return built


def _write_wheel(path):
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr('mmcv/_ext.so', bytes(range(256)) * 40)
    return path


def test_mmcv_is_compiled_once(setup, compiler, capsys):
    first = setup.mmcv_wheel(CPU)
    assert 'is compiled once' in capsys.readouterr().out
    elsewhere = {**CPU, 'file': '/another/clone/torch/version.py'}
    assert setup.mmcv_wheel(elsewhere) == first and len(compiler) == 1
    assert 'is compiled once' not in capsys.readouterr().out
    assert first.is_relative_to(setup.WHEELS)
    assert sorted(p.name for p in first.parent.iterdir()) == ['lock', first.name]


def test_mmcv_is_compiled_for_all_that_its_wheel_depends_on(
    setup, compiler, monkeypatch
):
    changes = [
        {},
        dict(version='2.12.0+cpu'),
        dict(abi='cp312'),
        dict(gpus=['9.0']),
        dict(gpus=['8.0']),
    ]
    wheels = {setup.mmcv_wheel({**CPU, **change}) for change in changes}
    for name in setup.COMPILER.split():
        with monkeypatch.context() as changed:
            changed.setenv(name, '1')
            wheels.add(setup.mmcv_wheel(CPU))
    monkeypatch.setattr(setup.platform, 'libc_ver', lambda: ('glibc', '9'))
    wheels.add(setup.mmcv_wheel(CPU))
    assert (
        len(wheels) == len(compiler) == len(changes) + len(setup.COMPILER.split()) + 1
    )


@pytest.mark.parametrize(
    'damage',
    [
        lambda content: b'',
        lambda content: content[: len(content) // 2],
        lambda content: b'<html>not found</html>',
        # The name is 12 bytes long; what it holds begins behind 30 bytes and the name.
        lambda content: content[:60] + bytes([content[60] ^ 255]) + content[61:],
    ],
)
def test_damaged_wheel_is_compiled_anew(setup, compiler, damage):
    wheel = setup.mmcv_wheel(CPU)
    wheel.write_bytes(damage(wheel.read_bytes()))
    assert setup.mmcv_wheel(CPU) == wheel and len(compiler) == 2
    assert zipfile.ZipFile(wheel).testzip() is None


def test_failed_compiling_leaves_nothing(setup, compiler, monkeypatch):
    def run(*command):
        folder = Path(command[command.index('-w') + 1])
        (folder / 'mmcv-2.1.0-cp311.whl').write_bytes(b'half')
        raise SystemExit('compiler killed')

    monkeypatch.setattr(setup, 'run', run)
    with pytest.raises(SystemExit, match='killed'):
        setup.mmcv_wheel(CPU)
    (kept,) = setup.WHEELS.iterdir()
    assert [path.name for path in kept.iterdir()] == ['lock']


def test_two_clones_compile_mmcv_once(setup, compiler, monkeypatch):
    compiling, go_on = threading.Event(), threading.Event()
    compile_one = setup.run

    def run(*command):
        compiling.set()
        go_on.wait(20)
        compile_one(*command)

    monkeypatch.setattr(setup, 'run', run)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(setup.mmcv_wheel, CPU)
        assert compiling.wait(20)
        second = pool.submit(setup.mmcv_wheel, CPU)
        with pytest.raises(TimeoutError):
            second.result(0.3)
        go_on.set()
        assert first.result(20) == second.result(20)
    assert len(compiler) == 1


def test_old_torch_gets_numpy_1(setup):
    names = [
        [Path(str(o)).name for o in setup.all_but_torch(version)]
        for version in ('2.2.1', '2.13.0', '2.20.0')
    ]
    assert 'verified_numpy1.txt' in names[0]
    assert 'verified.txt' in names[1] and 'verified.txt' in names[2]


def test_settings_of_pip_become_options_of_uv(setup):
    listing = (
        ":env:.find-links='/wheels /more'\n:env:.disable-pip-version-check='1'\n"
        "global.constraint='/limits.txt'\nglobal.find-links='/hidden'\n"
        "global.extra-index-url='https://a/simple\\nhttps://b/simple'\n"
        "install.no-index='true'\nfreeze.exclude='pip'\n"
    )
    options = setup.pip_settings(listing)
    assert set(options) == {
        '--find-links=/wheels',
        '--find-links=/more',
        '--constraint=/limits.txt',
        '--extra-index-url=https://a/simple',
        '--extra-index-url=https://b/simple',
        '--no-index',
        '--index-strategy=unsafe-best-match',
    }
    assert setup.pip_settings('') == ['--index-strategy=unsafe-best-match']


def test_missing_compiler_is_said_before_the_long_downloads(
    setup, monkeypatch, tmp_path
):
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(SystemExit, match='apt install build-essential'):
        setup.check_compiler()
    kept = setup.WHEELS / 'mmcv_torch' / 'mmcv-2.1.0-cp311.whl'
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b'wheel')
    setup.check_compiler()  # it is not needed


def test_missing_headers_are_said(setup, monkeypatch, tmp_path):
    monkeypatch.setattr(setup.shutil, 'which', lambda name: name)
    monkeypatch.setattr(setup.sysconfig, 'get_path', lambda name: str(tmp_path))
    with pytest.raises(SystemExit, match='python3-dev'):
        setup.check_compiler()


def test_failed_command_ends_the_set_up_with_hints(setup, capfd):
    code = 'import sys; sys.exit("No space left on device")'
    with pytest.raises(SystemExit) as error:
        setup.run(sys.executable, '-c', code)
    for hint in ('PIP_INDEX_URL', 'PIP_FIND_LINKS', 'MAX_JOBS=1', 'CUDA_HOME'):
        assert hint in str(error.value)
    assert 'No space left' in capfd.readouterr().err


@pytest.fixture
def finished(setup, tmp_path):
    torch = tmp_path / 'version.py'
    torch.write_text("__version__ = '2.13.0'")
    setup.STAMP.write_text('\n'.join(setup.stamp(str(torch))))
    return torch


def test_finished_environment_is_recognised(setup, finished, capsys):
    setup.main()
    assert 'is ready' in capsys.readouterr().out


@pytest.mark.parametrize('change', ['requirement', 'torch', 'python', 'move'])
def test_whatever_matters_makes_it_unfinished(setup, finished, monkeypatch, change):
    if change == 'requirement':
        (setup.FOLDER / 'runtime.txt').write_text('numpy<2')
    elif change == 'torch':
        finished.write_text("__version__ = '2.14.0'")
    elif change == 'python':
        setup.PYTHON.unlink()
    else:
        monkeypatch.setattr(setup, 'CHECKOUT', setup.CHECKOUT.with_name('elsewhere'))
    commands = []

    def run(*command):
        commands.append([str(part) for part in command])
        raise SystemExit

    monkeypatch.setattr(setup, 'run', run)
    with pytest.raises(SystemExit):
        setup.main()
    assert not setup.STAMP.exists()
    # Where .venv does not work, or names another place, it is made anew.
    assert commands[0][1:4] == ['-m', 'venv', '--clear']


def test_verified_set_is_complete_and_leaves_torchvision_out():
    folder = ROOT / 'requirements'
    names = re.compile(r'^([\w-]+)', re.MULTILINE)
    texts = (path.read_text() for path in folder.glob('*.txt'))
    lines = [line for text in texts for line in text.splitlines() if line[:1] != '#']
    verified = set(names.findall((folder / 'verified.txt').read_text()))
    assert {'torch', 'mmengine', 'mmcv', 'mmdet', 'mmsegmentation'} <= verified
    assert not any('torchvision' in line for line in lines)


def test_old_pythons_are_listed_and_a_way_out_is_named(tmp_path):
    python = tmp_path / 'python3'
    python.write_text('#!/bin/sh\necho 3.8.18\n')
    python.chmod(0o755)
    for tool in ('sh', 'dirname', 'cat'):
        os.symlink(f'/bin/{tool}', tmp_path / tool)
    script = ROOT / 'tools' / 'setup_env.sh'
    result = subprocess.run(
        ['/bin/sh', str(script)],
        env={'PATH': str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert 'python3 (3.8.18)' in result.stderr
    assert 'needs Python 3.10 or newer' in result.stderr
    assert 'apt install' in result.stderr


def test_named_python_that_does_not_exist_is_said():
    result = subprocess.run(
        ['/bin/sh', str(ROOT / 'tools' / 'setup_env.sh')],
        env={**os.environ, 'PYTHON': '/nowhere/python3.11'},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert '/nowhere/python3.11 (not found' in result.stderr


def test_help_of_make_names_the_commands():
    result = subprocess.run(
        ['make', '-C', str(ROOT), 'help'], capture_output=True, text=True, check=True
    )
    for name in ('demo', 'test', 'test-all', 'doctor'):
        assert f'make {name}' in result.stdout
