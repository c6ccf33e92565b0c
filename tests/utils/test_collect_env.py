import json
import subprocess
import sys
from pathlib import Path

import pytest

from mmwsis.utils import collect_env

ROOT = Path(__file__).parents[2]


@pytest.fixture
def healthy(monkeypatch):
    """An environment in which all is well, without the cost of importing it."""
    versions = {**collect_env.VERIFIED, 'numpy': '2.4.6', 'mmwsis': '0.1.0'}

    def version(*names):
        return next(((n, versions[n]) for n in names if n in versions), None)

    facts = dict(version='2.13.0+cpu', cuda=None, devices=[])
    monkeypatch.setattr(collect_env, 'distribution_version', version)
    monkeypatch.setattr(collect_env, 'try_code', lambda code: None)
    monkeypatch.setattr(
        collect_env, '_ask', lambda code: facts if 'version' in code else False
    )
    monkeypatch.setattr(collect_env, '_nvidia_driver_works', lambda: False)
    monkeypatch.setattr(
        collect_env,
        '_check_configs',
        lambda: collect_env.Check('mmwsis configs', 'ok', ''),
    )
    return versions


def _by_name(checks):
    return {check.name: check for check in checks}


def test_healthy_environment_has_no_problem(healthy, capsys):
    assert collect_env.main([]) == 0
    output = capsys.readouterr().out
    assert 'Everything needed works.' in output
    assert 'upstream OpenMMLab' in output


def test_broken_operators_name_the_command(healthy, monkeypatch, capsys):
    error = 'ImportError: undefined symbol: _ZN2at4_ops'
    monkeypatch.setattr(
        collect_env, 'try_code', lambda code: error if 'mmcv.ops' in code else None
    )
    assert collect_env.main([]) == 1
    output = capsys.readouterr().out
    assert 'BROKEN  mmcv operators' in output and 'undefined symbol' in output
    assert '--no-binary mmcv' in output


def test_other_versions_are_noted_but_no_error(healthy):
    healthy['mmdet'] = '3.4.0'
    checks = _by_name(collect_env.examine())
    assert checks['mmdet'].status == 'note'
    assert 'verified is 3.3.0' in checks['mmdet'].detail


def test_forks_are_recognised(healthy):
    for name, fork in collect_env.FORKS.items():
        del healthy[name]
        healthy[fork] = '9.9'
    checks = _by_name(collect_env.examine())
    assert checks['package set'].detail == 'onedl forks'
    assert checks['mmdet'].status == 'ok'
    assert checks['mmdet'].detail == '9.9 (onedl-mmdetection)'


def test_both_sets_at_once_are_broken(healthy):
    healthy['onedl-mmcv'] = '2.3.6'
    check = _by_name(collect_env.examine())['package set']
    assert check.status == 'broken'
    assert 'pip uninstall mmcv onedl-mmcv' in check.remedy


def test_cpu_torch_beside_a_gpu_is_noted(healthy, monkeypatch):
    monkeypatch.setattr(collect_env, '_nvidia_driver_works', lambda: True)
    assert _by_name(collect_env.examine())['gpu'].status == 'note'


def test_missing_extras_are_no_problem(healthy):
    check = _by_name(collect_env.examine())['faster_coco_eval']
    assert check.status == 'missing'
    assert check.remedy == 'pip install faster-coco-eval'


def test_incomplete_installation_of_configs_is_broken(monkeypatch, tmp_path):
    monkeypatch.setattr(
        collect_env, '__file__', str(tmp_path / 'utils' / 'collect_env.py')
    )
    check = collect_env._check_configs()
    assert check.status == 'broken' and 'pip install -e .' in check.remedy


@pytest.fixture(scope='module')
def bare_python(tmp_path_factory):
    """A Python with nothing installed."""
    folder = tmp_path_factory.mktemp('bare')
    command = [sys.executable, '-m', 'venv', '--without-pip', str(folder)]
    subprocess.run(command, check=True)
    return folder / 'bin' / 'python'


def test_it_explains_where_everything_is_missing(bare_python):
    command = [str(bare_python), '-m', 'mmwsis.utils.collect_env', '--json']
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 1, result.stderr
    checks = {item['name']: item for item in json.loads(result.stdout)}
    for name in ('torch', 'numpy', 'mmengine', 'mmcv', 'mmcv operators', 'mmdet'):
        assert checks[name]['status'] == 'broken', name
        assert 'pip install' in checks[name]['remedy'], name
    assert 'No module named' in checks['torch']['detail']
    assert checks['python']['status'] == 'ok'


def test_probes_run_in_a_process_of_their_own():
    assert collect_env.try_code('import math') is None
    assert collect_env.try_code('raise ValueError("so")') == 'ValueError: so'
    assert collect_env.try_code('import os; os.abort()') == 'crashed with signal 6'
    assert collect_env.try_code('raise SystemExit(3)') == 'exit code 3'
