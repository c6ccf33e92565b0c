"""The wheel, the editable install, and ``mmwsis::`` configs from both."""

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
# Resolves configs as a user's would: files of his own with one line in them. Python
# runs without its start-up files (-S), so that an mmwsis of the environment stays
# unseen. Every config is found; some are also read.
RESOLVE = """
import json, site, sys, traceback
from pathlib import Path
installed, dependencies, work, names, read = map(json.loads, sys.argv[1:])
sys.path += dependencies
sys.path.insert(0, installed)
site.addsitedir(installed)
from mmengine.config import Config
import mmwsis.registry
failed = {}
for name in names:
    user = Path(work, 'user.py')
    user.write_text(f"_base_ = 'mmwsis::{name}'\\n")
    try:
        if name in read:
            Config.fromfile(user)
        else:
            path, _ = Config._get_cfg_path(f'mmwsis::{name}', str(user))
            assert Path(path).is_file(), path
    except Exception:
        failed[name] = traceback.format_exc()[-600:]
print(json.dumps(dict(file=mmwsis.__file__, failed=failed)))
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


def _build(source_tree, kind, folder):
    """Build a wheel as pip does, but without a pip and an environment around it."""
    code = f'import setuptools.build_meta as b; b.build_{kind}({str(folder)!r})'
    result = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code],
        cwd=source_tree,
        capture_output=True,
        text=True,
        env={k: v for k, v in os.environ.items() if k != 'PYTHONPATH'},
    )
    assert result.returncode == 0, result.stdout + result.stderr
    (path,) = folder.glob('mmwsis-*.whl')
    return path


@pytest.fixture(scope='module')
def wheel(source_tree, tmp_path_factory):
    return _build(source_tree, 'wheel', tmp_path_factory.mktemp('wheel'))


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
    assert tops - info == {'mmwsis'}
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
    assert {'openmmlab', 'onedl', 'crf', 'fast', 'formats', 'docs'} <= extras
    assert {'sam', 'small', 'tests'} <= extras
    assert 'Requires-Python: >=3.10' in metadata
    version: dict = {}
    exec((ROOT / 'mmwsis' / 'version.py').read_text(), version)
    assert f'Version: {version["__version__"]}\n' in metadata


def _package_resolving_all_configs(installed, tmp_path):
    """Resolve every shipped config; return the package that served them."""
    folder = ROOT / 'configs'
    paths = (path.relative_to(folder) for path in folder.rglob('*.py'))
    names = sorted(str(path) for path in paths if path.parts[0] != '_base_')
    assert names
    read = [name for name in names if name.startswith('exits/')][::4]
    dependencies = [path for path in sys.path if path.endswith('-packages')]
    arguments = (str(installed), dependencies, str(tmp_path), names, read)
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
    return Path(report['file'])


def test_user_configs_inherit_from_an_installed_wheel(wheel, tmp_path):
    installed = tmp_path / 'site'
    with zipfile.ZipFile(wheel) as archive:  # all that pip does with a pure wheel
        archive.extractall(installed)
    package = _package_resolving_all_configs(installed, tmp_path)
    assert package.is_relative_to(installed)


def test_user_configs_inherit_from_an_editable_install(source_tree, tmp_path):
    installed, folder = tmp_path / 'site', tmp_path / 'wheel'
    folder.mkdir()
    with zipfile.ZipFile(_build(source_tree, 'editable', folder)) as archive:
        archive.extractall(installed)
    mim = source_tree / 'mmwsis' / '.mim'
    assert (mim / 'configs').resolve() == (source_tree / 'configs').resolve()
    assert (mim / 'tools' / 'train.py').is_file()
    package = _package_resolving_all_configs(installed, tmp_path)
    assert package.resolve().is_relative_to(source_tree.resolve())
