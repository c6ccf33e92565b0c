"""The examples in the docstrings run, and every public algorithm has one.

Not pytest's ``--doctest-modules``: with it pytest also imports the helper modules of
the tests, which register their classes a second time.
"""

import doctest
import importlib
import inspect
from pathlib import Path

import pytest

import mmwsis.ops
import mmwsis.structures

ROOT = Path(__file__).parents[1]
PACKAGES = ('mmwsis/ops', 'mmwsis/structures', 'mmwsis/models')
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
MODULES = [
    '.'.join(path.relative_to(ROOT).with_suffix('').parts)
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob('*.py'))
    if '>>> ' in path.read_text(encoding='utf-8')
]
PUBLIC = [
    pytest.param(value, id=f'{package.__name__}.{name}')
    for package in (mmwsis.ops, mmwsis.structures)
    for name, value in vars(package).items()
    if name in package.__all__ and inspect.isfunction(inspect.unwrap(value))
]


@pytest.mark.parametrize('name', MODULES)
def test_examples_give_what_they_show(name):
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    report = []
    for test in doctest.DocTestFinder().find(module):
        runner.run(test, out=report.append)
    assert not runner.summarize(verbose=False).failed, ''.join(report)


@pytest.mark.parametrize('function', PUBLIC)
def test_public_functions_have_an_example(function):
    assert '>>> ' in inspect.getdoc(function)
