"""The set-up of ``.venv``: what it decides, and what it says when it cannot go on."""

import importlib
import os
import re
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / 'tools' / 'setup_environment'
MODULES = ('problems', 'console', 'state', 'python_step', 'torch_step', 'mmcv_step')
CPU_TORCH = dict(
    version='2.13.0+cpu',
    cuda=None,
    cuda_available=False,
    arch=[],
    tag='cp311',
    platform='linux-x86_64',
)


@pytest.fixture(scope='module')
def setup():
    """The set-up's modules, which import each other as a program's do."""
    sys.path.insert(0, str(FOLDER))
    try:
        modules = {name: importlib.import_module(name) for name in MODULES}
        yield type('Modules', (), modules)
    finally:
        sys.path.remove(str(FOLDER))
        for name in MODULES:
            sys.modules.pop(name, None)


@pytest.fixture
def clean(monkeypatch):
    for name in ('MMWSIS_MMCV_OPS', 'TORCH_CUDA_ARCH_LIST', 'CXX', 'CUDA_HOME'):
        monkeypatch.delenv(name, raising=False)


def test_wheel_key_tells_torches_pythons_and_devices_apart(setup, clean):
    key = setup.mmcv_step.wheel_key
    cuda = dict(version='2.13.0+cu130', cuda='13.0', cuda_available=True, arch=['90'])
    torches = [
        CPU_TORCH,
        {**CPU_TORCH, 'version': '2.12.0+cpu'},
        {**CPU_TORCH, 'tag': 'cp312'},
        {**CPU_TORCH, 'platform': 'linux-aarch64'},
        {**CPU_TORCH, **cuda},
        {**CPU_TORCH, **cuda, 'arch': ['80']},
    ]
    keys = [key('2.1.0', torch) for torch in torches] + [key('2.2.0', CPU_TORCH)]
    assert len(set(keys)) == len(keys)
    assert all(re.fullmatch(r'[\w.+-]+', text) for text in keys)


def test_cpu_operators_can_be_asked_for(setup, clean, monkeypatch):
    torch = {**CPU_TORCH, 'cuda': '13.0', 'cuda_available': True, 'arch': ['90']}
    assert setup.mmcv_step.operator_kind(torch) == 'cuda'
    monkeypatch.setenv('MMWSIS_MMCV_OPS', 'cpu')
    assert setup.mmcv_step.operator_kind(torch) == 'cpu'
    assert setup.mmcv_step.wheel_key('2.1.0', torch).endswith('_cpu')
    monkeypatch.setenv('MMWSIS_MMCV_OPS', 'gpu')
    with pytest.raises(setup.problems.Problem, match="'gpu'"):
        setup.mmcv_step.operator_kind(torch)


def test_missing_compiler_is_said_before_compiling(setup, clean, monkeypatch, tmp_path):
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(setup.problems.Problem, match='no C') as caught:
        setup.mmcv_step._check_compiler(CPU_TORCH)
    assert 'apt install build-essential' in caught.value.remedy


def test_missing_compiler_is_said_before_the_long_downloads(
    setup, clean, monkeypatch, tmp_path
):
    monkeypatch.setenv('PATH', str(tmp_path))
    monkeypatch.setenv('MMWSIS_CACHE', str(tmp_path))
    python = tmp_path / 'python'
    with pytest.raises(setup.problems.Problem, match='no C'):
        setup.mmcv_step.check_compiler_early(python, '2.1.0')
    kept = tmp_path / 'wheels' / 'mmcv-2.1.0_torch-2.13.0' / 'mmcv-2.1.0.whl'
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b'wheel')
    setup.mmcv_step.check_compiler_early(python, '2.1.0')


def test_missing_cuda_compiler_is_said_before_compiling(setup, clean, monkeypatch):
    which = {'c++': '/usr/bin/c++'}.get
    monkeypatch.setattr(setup.mmcv_step.shutil, 'which', which)
    monkeypatch.setenv('CUDA_HOME', '/nowhere')
    torch = {**CPU_TORCH, 'cuda': '13.0', 'cuda_available': True}
    monkeypatch.setattr(setup.mmcv_step.Path, 'is_file', lambda p: p.name == 'Python.h')
    with pytest.raises(setup.problems.Problem, match='nvcc') as caught:
        setup.mmcv_step._check_compiler(torch)
    assert 'MMWSIS_MMCV_OPS=cpu' in caught.value.remedy


class _FakeConsole:
    """Stands for pip: writes a wheel, or fails half-way."""

    def __init__(self, fail=False):
        self.fail = fail
        self.commands = []

    def note(self, text):
        pass

    def run(self, command, what, env=None):
        self.commands.append((command, env))
        if 'wheel' in command:
            folder = Path(command[command.index('-w') + 1])
            (folder / 'mmcv-2.1.0-cp311.whl').write_bytes(b'wheel')
            if self.fail:
                raise KeyboardInterrupt


@pytest.fixture
def build(setup, clean, monkeypatch, tmp_path):
    monkeypatch.setenv('MMWSIS_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setattr(setup.mmcv_step, '_check_compiler', lambda torch: None)
    monkeypatch.setattr(setup.mmcv_step, 'runs', lambda python, code: False)
    (tmp_path / 'venv').mkdir()

    def install(console, torch=CPU_TORCH, **options):
        python, venv = Path('python'), tmp_path / 'venv'
        setup.mmcv_step.install_mmcv(console, python, venv, '2.1.0', torch, **options)

    return install


def _builds(console):
    return [command for command, _ in console.commands if 'wheel' in command]


def test_mmcv_is_compiled_once_for_each_torch(build):
    first, second, other = _FakeConsole(), _FakeConsole(), _FakeConsole()
    build(first)
    build(second)
    build(other, torch={**CPU_TORCH, 'version': '2.12.0+cpu'})
    assert [len(_builds(c)) for c in (first, second, other)] == [1, 0, 1]
    command, env = first.commands[0]
    assert {'--no-cache-dir', '--no-deps', '--no-build-isolation'} <= set(command)
    assert command[command.index('--no-binary') + 1] == 'mmcv'
    assert env['MMCV_WITH_OPS'] == '1'


def test_half_built_wheel_is_never_used(build, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        build(_FakeConsole(fail=True))
    assert not list((tmp_path / 'cache').rglob('*.whl'))
    again = _FakeConsole()
    build(again)
    assert len(_builds(again)) == 1


def test_kept_wheel_that_does_not_work_is_built_anew(build):
    build(_FakeConsole())
    again = _FakeConsole()
    build(again, rebuild=True)
    assert len(_builds(again)) == 1


def test_constraints_hold_the_torch_in_use(setup):
    verified = (ROOT / 'requirements' / 'verified.txt').read_text()
    text = setup.torch_step.write_constraints(verified, '2.9.1+cu128')
    assert 'torch==2.9.1+cu128\n' in text and 'torch==2.13.0' not in text
    assert 'mmcv==2.1.0\n' in text and 'numpy==2' in text
    old = setup.torch_step.write_constraints(verified, '2.1.2')
    assert 'numpy<2\n' in old and 'numpy==2' not in old and 'mmcv==2.1.0' in old


@pytest.mark.parametrize(
    ('output', 'remedy'),
    [
        ('OSError: [Errno 28] No space left on device', 'Free some space'),
        ('g++: fatal error: Killed signal terminated program cc1plus', 'MAX_JOBS=1'),
        ('fatal error: Python.h: No such file or directory', 'python3-dev'),
        ("error: command 'g++' failed: No such file or directory", 'build-essential'),
        ('NameResolutionError: Failed to resolve pypi.org', 'PIP_INDEX_URL'),
        ('The detected CUDA version (12.1) mismatches the version', 'CUDA_HOME'),
        ('ensurepip is not available', 'python3-venv'),
        ('ERROR: No matching distribution found for torch==2.13.0', 'PYTHON='),
        (
            'ERROR: Could not find a version that satisfies the requirement torch '
            '(from versions: none)\nERROR: No matching distribution found for torch',
            'PIP_INDEX_URL',
        ),
    ],
)
def test_known_failures_come_with_their_remedy(setup, output, remedy):
    problem = setup.problems.explain_log(output, 'installing')
    assert remedy in problem.remedy


def test_unknown_failure_shows_the_last_lines_and_the_log(setup, tmp_path):
    console = setup.console.Console(tmp_path / 'setup.log', 1)
    command = [sys.executable, '-c', 'print("strange"); raise SystemExit(4)']
    with pytest.raises(setup.problems.Problem, match='(?s)exit code 4.*strange') as e:
        console.run(command, 'doing it')
    assert 'setup.log' in e.value.remedy


def test_interrupt_ends_the_compilers_too(setup, tmp_path, monkeypatch):
    # A "pip" that dies at once when told to, and a "compiler" that does not.
    pid_file = tmp_path / 'compiler.pid'
    compiler = 'trap "" TERM; echo $$ > "$0"; while :; do sleep 0.1; done'
    script = f"sh -c '{compiler}' {pid_file} & wait"

    def wait(console, process, what, start):
        while not (pid_file.exists() and pid_file.read_text()):
            time.sleep(0.02)
        raise KeyboardInterrupt

    monkeypatch.setattr(setup.console.Console, '_wait', wait)
    with pytest.raises(KeyboardInterrupt):
        setup.console.Console(tmp_path / 'log', 1).run(
            ['sh', '-c', script], 'compiling'
        )
    pid = int(pid_file.read_text())
    for _ in range(100):
        if not _is_alive(pid):
            return
        time.sleep(0.02)
    raise AssertionError(f'process {pid} outlived the interrupt')


def _is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat_file = Path(f'/proc/{pid}/stat')
    return not stat_file.exists() or ') Z ' not in stat_file.read_text()


def test_verified_set_is_complete_and_leaves_torchvision_out():
    folder = ROOT / 'requirements'
    names = re.compile(r'^([\w-]+)', re.MULTILINE)
    texts = (path.read_text() for path in folder.glob('*.txt'))
    lines = [line for text in texts for line in text.splitlines() if line[:1] != '#']
    verified = set(names.findall((folder / 'verified.txt').read_text()))
    assert {'torch', 'mmengine', 'mmcv', 'mmdet', 'mmsegmentation'} <= verified
    assert not any('torchvision' in line for line in lines)


@pytest.fixture
def environment(setup, tmp_path):
    checkout, venv = tmp_path / 'checkout', tmp_path / 'checkout' / '.venv'
    (checkout / 'requirements').mkdir(parents=True)
    (checkout / 'requirements' / 'runtime.txt').write_text('numpy')
    (checkout / 'mmwsis' / '.mim' / 'configs').mkdir(parents=True)
    for name in ('setup.py', 'pyproject.toml'):
        (checkout / name).write_text('')
    (venv / 'bin').mkdir(parents=True)
    (venv / 'bin' / 'python').write_text('')
    torch_file = tmp_path / 'version.py'
    torch_file.write_text("__version__ = '2.13.0'")
    setup.state.save(venv, checkout, str(torch_file))
    return venv, checkout, torch_file


def test_finished_environment_is_recognised(setup, environment):
    venv, checkout, _ = environment
    assert setup.state.is_ready(venv, checkout)


@pytest.mark.parametrize('change', ['requirement', 'torch', 'python', 'move', 'begin'])
def test_whatever_matters_makes_it_unfinished(setup, environment, change):
    venv, checkout, torch_file = environment
    if change == 'requirement':
        (checkout / 'requirements' / 'runtime.txt').write_text('numpy<2')
    elif change == 'torch':
        torch_file.write_text("__version__ = '2.14.0'")
    elif change == 'python':
        (venv / 'bin' / 'python').unlink()
    elif change == 'move':
        checkout = checkout.rename(checkout.with_name('elsewhere'))
        venv = checkout / '.venv'
    else:
        setup.state.discard(venv)
    assert not setup.state.is_ready(venv, checkout)


def _fake_python(folder, name, version):
    path = folder / name
    path.write_text(f'#!/bin/sh\ncase "$2" in *exit*) exit 1;; esac\necho {version}\n')
    path.chmod(path.stat().st_mode | stat.S_IEXEC)


def test_old_pythons_are_listed_and_a_way_out_is_named(tmp_path):
    _fake_python(tmp_path, 'python3', '3.8.18')
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
    assert 'python3: 3.8.18' in result.stderr
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
    assert '/nowhere/python3.11: not on PATH' in result.stderr


def test_help_of_make_names_the_two_commands():
    result = subprocess.run(
        ['make', '-C', str(ROOT), 'help'], capture_output=True, text=True, check=True
    )
    assert 'make demo' in result.stdout and 'make test' in result.stdout
