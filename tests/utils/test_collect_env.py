import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from mmwsis.utils import collect_env

ROOT = Path(__file__).parents[2]


@pytest.fixture
def healthy(monkeypatch):
    """An environment in which all is well, without the cost of importing it."""
    names = (collect_env.NEEDED + ' ' + collect_env.OPTIONAL).split()
    tops = {name.partition('.')[0] for name in names}
    needed = {top: collect_env.REQUIREMENTS.get(top, top) for top in tops}
    providers = {top: [re.split('[=<>]', text)[0]] for top, text in needed.items()}
    versions = dict(text.split('==') for text in needed.values() if '==' in text)
    answers = {'nvidia-smi': ('', 'no such file')}
    facts = dict(version='2.13.0+cpu', cuda=None, file='', gpus=[])

    def ask(program, *arguments):
        return answers.get(arguments[-1], answers.get(program, ('', '')))

    monkeypatch.setattr(metadata, 'packages_distributions', lambda: providers)
    monkeypatch.setattr(metadata, 'version', lambda name: versions.get(name, '1.0'))
    monkeypatch.setattr(collect_env, 'ask', ask)
    monkeypatch.setattr(collect_env, 'torch_facts', lambda: facts)
    return dict(providers=providers, versions=versions, answers=answers, facts=facts)


def _by_name():
    return {name: (status, *rest) for status, name, *rest in collect_env.examine()}


def test_healthy_environment_has_no_problem(healthy, capsys):
    assert collect_env.main() == 0
    output = capsys.readouterr().out
    assert 'Everything needed works.' in output
    assert 'BROKEN' not in output and 'to fix' not in output


def test_broken_operators_name_the_command(healthy, capsys):
    error = 'ImportError: undefined symbol: _ZN2at4_ops'
    healthy['answers'][collect_env.CODE['mmcv.ops']] = ('', error)
    assert collect_env.main() == 1
    output = capsys.readouterr().out
    assert 'BROKEN  mmcv.ops' in output and 'undefined symbol' in output
    assert 'make clean-env env' in output and '--no-build-isolation' in output


def test_numpy_that_torch_cannot_use_is_broken(healthy):
    error = 'RuntimeError: Numpy is not available'
    healthy['answers'][collect_env.CODE['numpy']] = ('', error)
    status, detail, fix = _by_name()['numpy']
    assert status == 'BROKEN' and error in detail and 'numpy<2' in fix


def test_other_versions_are_noted_but_no_error(healthy):
    healthy['versions']['mmdet'] = '3.4.0'
    status, detail, _ = _by_name()['mmdet.models']
    assert status == 'note' and 'verified is mmdet==3.3.0' in detail


def test_build_of_torch_is_part_of_the_verified_version(healthy):
    healthy['versions']['torch'] = '2.13.0+cu130'
    assert _by_name()['torch'][0] == 'ok'


def test_forks_are_recognised(healthy):
    healthy['providers']['mmdet'] = ['onedl-mmdetection']
    status, detail, _ = _by_name()['mmdet.models']
    assert status == 'note' and 'onedl-mmdetection 1.0' in detail


def test_both_sets_at_once_are_broken(healthy):
    healthy['providers']['mmcv'] = ['mmcv', 'onedl-mmcv']
    status, _, fix = _by_name()['mmcv.ops']
    assert status == 'BROKEN' and 'pip uninstall mmcv onedl-mmcv' in fix


def test_gpu_that_torch_does_not_see_is_noted(healthy):
    healthy['answers']['-L'] = ('GPU 0', '')
    status, detail, fix = _by_name()['gpu']
    assert status == 'note' and 'not seen' in detail and 'driver' in fix


def test_operators_are_tried_on_the_gpu(healthy):
    healthy['facts'].update(gpus=['9.0'], cuda='13.0')
    assert _by_name()['gpu'][:2] == ('ok', 'mmcv works on it, CUDA 13.0')
    error = 'RuntimeError: nms_impl: implementation for device cuda:0 not found'
    healthy['answers'][collect_env.NMS.format('cuda')] = ('', error)
    assert _by_name()['gpu'][0] == 'BROKEN'


def test_missing_extras_are_no_problem(healthy):
    del healthy['providers']['pydensecrf']
    healthy['answers']['import pydensecrf'] = ('', 'No module named pydensecrf')
    status, detail, fix = _by_name()['pydensecrf']
    assert status == '-' and 'not installed' in detail
    assert fix == 'pip install "pydensecrf2"'


def test_missing_configs_are_broken(tmp_path, monkeypatch):
    (tmp_path / 'mmwsis').mkdir()
    (tmp_path / 'mmwsis' / '__init__.py').write_text('')
    monkeypatch.chdir(tmp_path)  # where `python -c` looks first
    error = collect_env.ask(sys.executable, '-c', collect_env.CODE['mmwsis'])[1]
    assert '.mim/configs' in error
    (tmp_path / 'mmwsis' / '.mim' / 'configs').mkdir(parents=True)
    assert not collect_env.ask(sys.executable, '-c', collect_env.CODE['mmwsis'])[1]


def test_versions_are_those_of_the_verified_set():
    verified = (ROOT / 'requirements' / 'verified.txt').read_text().splitlines()
    texts = collect_env.REQUIREMENTS.values()
    assert {text for text in texts if '==' in text} <= set(verified)


@pytest.fixture(scope='module')
def bare_python(tmp_path_factory):
    """A Python with nothing installed."""
    folder = tmp_path_factory.mktemp('bare')
    command = [sys.executable, '-m', 'venv', '--without-pip', str(folder)]
    subprocess.run(command, check=True)
    return folder / 'bin' / 'python'


def test_it_explains_where_everything_is_missing(bare_python):
    command = [str(bare_python), '-m', 'mmwsis.doctor']
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 1, result.stderr
    lines = result.stdout.splitlines()
    for name in ('torch', 'numpy', 'mmengine.runner', 'mmcv.ops', 'mmdet.models'):
        (row,) = (i for i, line in enumerate(lines) if line.split()[1:2] == [name])
        assert lines[row].startswith('BROKEN') and 'No module named' in lines[row]
        assert 'pip install' in lines[row + 1]


def test_probes_run_in_a_process_of_their_own():
    def error(code):
        return collect_env.ask(sys.executable, '-c', code)[1]

    assert collect_env.ask(sys.executable, '-c', 'print(3)') == ('3\n', '')
    assert error('raise ValueError("so")') == 'ValueError: so'
    assert error('import os; os.abort()') == 'exit code -6'
    assert error('raise SystemExit(3)') == 'exit code 3'
    assert 'No such file' in collect_env.ask('/nowhere/python')[1]
