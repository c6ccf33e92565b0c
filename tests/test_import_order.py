"""Imports point one way: a layer knows itself and those below it."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / 'mmwsis'
# From the bottom up; what stands in one line may not import its neighbours.
LAYERS = (
    ('version',),
    ('utils', 'structures'),
    ('ops',),
    ('formats',),
    ('dataset_converters', 'compat'),
    ('registry',),
    ('datasets', 'models', 'pseudo_labels'),
    ('visualization',),
    ('evaluation', 'engine'),
    ('apis',),
    ('pipelines',),
    ('doctor',),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def imported_layers(path):
    """First names below ``mmwsis`` that a file imports, lazily or not."""
    package = ('mmwsis', *path.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            targets = [alias.name.split('.') for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            base += node.module.split('.') if node.module else []
            targets = [[*base, alias.name] for alias in node.names]
        else:
            continue
        for target in targets:
            if target[0] == 'mmwsis' and len(target) > 1 and target[1] in LEVEL:
                yield node.lineno, target[1]


@pytest.mark.parametrize('name', LEVEL)
def test_a_layer_imports_only_itself_and_what_is_below(name):
    files = sorted((PACKAGE / name).rglob('*.py')) or [PACKAGE / f'{name}.py']
    upward = [
        f'{path.relative_to(PACKAGE)}:{line} imports {other}'
        for path in files
        for line, other in imported_layers(path)
        if other != name and LEVEL[other] >= LEVEL[name]
    ]
    assert not upward


def test_every_module_has_a_layer():
    found = {path.stem for path in PACKAGE.iterdir() if not path.name.startswith('.')}
    assert found - {'__init__', '__pycache__'} == set(LEVEL)
