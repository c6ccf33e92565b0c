"""The examples in the docstrings run, and every public algorithm has one.

Not pytest's ``--doctest-modules``: with it pytest also imports the helper modules of
the tests, which register their classes a second time.
"""

import doctest
import importlib
import inspect
from pathlib import Path

import pytest
import torch
from mmengine.logging import MessageHub

import mmwsis.models.losses
import mmwsis.ops
import mmwsis.structures


def _is_module(value):
    return isinstance(value, type) and issubclass(value, torch.nn.Module)


ROOT = Path(__file__).parents[1]
PACKAGES = ('ops', 'structures', 'models', 'engine', 'utils', 'visualization')
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
MODULES = [
    '.'.join(path.relative_to(ROOT).with_suffix('').parts)
    for package in PACKAGES
    for path in sorted((ROOT / 'mmwsis' / package).rglob('*.py'))
    if '>>> ' in path.read_text(encoding='utf-8')
]
PUBLIC = [
    pytest.param(value, id=f'{package.__name__}.{name}')
    for package in (mmwsis.ops, mmwsis.structures, mmwsis.models.losses)
    for name, value in vars(package).items()
    if name in package.__all__
    and (inspect.isfunction(inspect.unwrap(value)) or _is_module(value))
]


@pytest.mark.parametrize('name', MODULES)
def test_examples_give_what_they_show(name):
    module = importlib.import_module(name)
    MessageHub.get_instance(f'doctest-{name}')  # another test's may say iteration 99
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    report = []
    for test in doctest.DocTestFinder().find(module):
        runner.run(test, out=report.append)
    assert not runner.summarize(verbose=False).failed, ''.join(report)


@pytest.mark.parametrize('function', PUBLIC)
def test_public_functions_have_an_example(function):
    assert '>>> ' in inspect.getdoc(function)
