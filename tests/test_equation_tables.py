"""The tables that lead from the papers' equations to the code lead somewhere."""

import importlib
import re
from functools import reduce
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ROOT / 'docs' / 'methods'
ROW = re.compile(r'^\| ((?:Eq|Sec)\. [^|]+) \| ([^|]+) \| ([^|]+) \|$', re.MULTILINE)
LINK = re.compile(r'\[`([A-Za-z_][\w.]*)`\]\(([^)]+)\)')
# The numbered equations of each table; a page may have several.
EQUATIONS = {
    'exits': [[*map(str, range(1, 11)), 'a1', 'a2'], [*map(str, range(1, 6))]],
    'irnet': [[*map(str, range(1, 14))]],
    'bestie': [[*map(str, range(1, 7))]],
    'wise': [[*map(str, range(1, 5))]],
    'weak_panoptic': [[*map(str, range(1, 6))]],
    'sam': [],  # nothing of it is computed here
}


def tables(page):
    """The rows of each equation table: (paper's number, [(name, file), ...])."""
    text = (PAGES / f'{page}.md').read_text(encoding='utf-8')
    parts = text.split('| paper | what | computed by |')[1:]
    return [
        [(number, LINK.findall(code)) for number, _, code in ROW.findall(part)]
        for part in parts
    ]


def entries():
    for page in EQUATIONS:
        for rows in tables(page):
            for _, links in rows:
                for name, target in links:
                    yield page, name, target


def test_every_page_of_a_method_has_its_tables():
    assert {path.stem for path in PAGES.glob('*.md')} == set(EQUATIONS)


@pytest.mark.parametrize('page', EQUATIONS)
def test_every_equation_is_listed(page):
    assert all(links for rows in tables(page) for _, links in rows)
    found = [
        [
            number
            for label, _ in rows
            if label.startswith('Eq. ')
            for number in label.removeprefix('Eq. ').split(', ')
        ]
        for rows in tables(page)
    ]
    assert [sorted(numbers) for numbers in found] == [
        sorted(numbers) for numbers in EQUATIONS[page]
    ]


@pytest.mark.parametrize(('page', 'name', 'target'), sorted(set(entries())))
def test_every_function_exists(page, name, target):
    path = (PAGES / target).resolve()
    assert path.is_file(), f'{page}.md links {target}, which does not exist'
    dotted = '.'.join(path.relative_to(ROOT.resolve()).with_suffix('').parts)
    module = importlib.import_module(dotted)
    found = reduce(getattr, name.split('.'), module)
    assert callable(found) and found.__doc__, f'{page}.md: {dotted}.{name}'
    assert found.__module__ == dotted, f'{page}.md: {name} is defined elsewhere'
