"""The wheel, and ``mmwsis::`` configs from it and from an editable install."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ('mmwsis', 'configs', 'tools', 'requirements')
FILES = ('setup.py', 'pyproject.toml', 'MANIFEST.in')
INDICES = [path.name for path in ROOT.glob('*-index.yml')]
# Loads each config as a user would: a file of his own with one line in it. Python runs
# without its start-up files (-S), so that an mmwsis of the environment stays unseen.
RESOLVE = """
import json, site, sys, traceback
from pathlib import Path
installed, dependencies, work, names = map(json.loads, sys.argv[1:])
sys.path += dependencies
sys.path.insert(0, installed)
site.addsitedir(installed)
from mmengine.config import Config
ours = sorted(name for name in sys.modules if name.split('.')[0] == 'mmwsis')
failed, loaded = {}, 0
for name in names:
    user = Path(work, 'user.py')
    user.write_text(f"_base_ = 'mmwsis::{name}'\\n")
    try:
        Config.fromfile(user)
        loaded += 1
    except Exception:
        failed[name] = traceback.format_exc()[-600:]
import mmwsis
print(json.dumps(dict(file=mmwsis.__file__, loaded=loaded, failed=failed, ours=ours)))
"""


def _ignore(folder, names):
    return [n for n in names if n in ('__pycache__', '.mim') or n.endswith('.pyc')]


@pytest.fixture(scope='module')
def source_tree(tmp_path_factory):
    """A copy, because building writes into the source tree."""
    tree = tmp_path_factory.mktemp('source')
    for name in SOURCES:
        shutil.copytree(ROOT / name, tree / name, ignore=_ignore)
    for name in (*FILES, *INDICES):
        shutil.copy2(ROOT / name, tree / name)
    return tree


def _pip(*arguments):
    environment = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
    flags = ['--no-deps', '--no-build-isolation', '--no-index', '-q']
    command = [sys.executable, '-m', 'pip', *arguments, *flags]
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope='module')
def wheel(source_tree, tmp_path_factory):
    folder = tmp_path_factory.mktemp('wheel')
    _pip('wheel', str(source_tree), '-w', str(folder))
    (path,) = folder.glob('mmwsis-*.whl')
    return path


@pytest.fixture(scope='module')
def wheel_names(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheel_carries_every_module(wheel_names):
    expected = {
        str(path.relative_to(ROOT))
        for path in (ROOT / 'mmwsis').rglob('*.py')
        if '.mim' not in path.parts
    }
    assert expected <= wheel_names


def test_wheel_carries_configs_tools_and_indices(wheel_names, source_tree):
    expected = {
        f'mmwsis/.mim/{path.relative_to(source_tree)}'
        for name in ('configs', 'tools')
        for path in (source_tree / name).rglob('*')
        if path.is_file()
    }
    assert 'model-index.yml' in INDICES
    expected |= {f'mmwsis/.mim/{name}' for name in INDICES}
    assert {name for name in wheel_names if '/.mim/' in name} == expected
    assert 'mmwsis/.mim/tools/train.py' in expected


def test_wheel_carries_nothing_else(wheel_names):
    tops = {name.partition('/')[0] for name in wheel_names}
    info = {top for top in tops if top.endswith('.dist-info')}
    assert tops - info == {'mmwsis', 'mmwsis-config-scope.pth'}
    assert not [name for name in wheel_names if '__pycache__' in name]


def test_requirements_leave_the_package_set_open(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith('/METADATA'))
        metadata = archive.read(name).decode()
    required = re.findall(r'^Requires-Dist: (.*)$', metadata, re.MULTILINE)
    base = [line for line in required if 'extra ==' not in line]
    assert not [
        line for line in base if re.match(r'(onedl-)?mm(cv|det|engine|seg)', line)
    ]
    assert not [line for line in required if line.startswith('torchvision')]
    extras = set(re.findall(r'^Provides-Extra: (.*)$', metadata, re.MULTILINE))
    assert {'openmmlab', 'onedl', 'crf', 'fast', 'formats', 'tests', 'docs'} <= extras
    assert 'Requires-Python: >=3.10' in metadata
    version: dict = {}
    exec((ROOT / 'mmwsis' / 'version.py').read_text(), version)
    assert f'Version: {version["__version__"]}\n' in metadata


def _shipped_configs():
    folder = ROOT / 'configs'
    paths = (path.relative_to(folder) for path in folder.rglob('*.py'))
    return sorted(str(path) for path in paths if path.parts[0] != '_base_')


def _package_resolving_all_configs(installed, tmp_path):
    """Resolve every shipped config; return the package that served them."""
    names = _shipped_configs()
    dependencies = [path for path in sys.path if path.endswith('-packages')]
    arguments = (str(installed), dependencies, str(tmp_path), names)
    result = subprocess.run(
        [sys.executable, '-S', '-W', 'ignore', '-c', RESOLVE]
        + [json.dumps(argument) for argument in arguments],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if k != 'PYTHONPATH'},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout.strip().splitlines()[-1])
    assert report['failed'] == {}
    assert report['loaded'] == len(names) > 0
    # Only the start-up file made the prefix known; nobody imported the registries.
    assert report['ours'] == ['mmwsis', 'mmwsis.compat', 'mmwsis.version']
    return Path(report['file'])


def test_user_configs_inherit_from_an_installed_wheel(wheel, tmp_path):
    installed = tmp_path / 'site'
    _pip('install', str(wheel), '--target', str(installed))
    package = _package_resolving_all_configs(installed, tmp_path)
    assert package.is_relative_to(installed)


def test_user_configs_inherit_from_an_editable_install(source_tree, tmp_path):
    prefix = tmp_path / 'prefix'
    _pip('install', '-e', str(source_tree), '--prefix', str(prefix), '-I')
    (installed,) = prefix.glob('lib*/python*/site-packages')
    mim = source_tree / 'mmwsis' / '.mim'
    assert (mim / 'configs').resolve() == (source_tree / 'configs').resolve()
    assert (mim / 'tools' / 'train.py').is_file()
    package = _package_resolving_all_configs(installed, tmp_path)
    assert package.resolve().is_relative_to(source_tree.resolve())
