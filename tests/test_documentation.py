"""Links and paths in the Markdown pages; building the HTML."""

import importlib
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml
from mmengine.registry import Registry

from mmwsis import registry
from mmwsis.version import __version__

ROOT = Path(__file__).parents[1]
PATTERNS = (
    '*.md',
    'docs/**/*.md',
    'configs/**/*.md',
    'benchmarks/*.md',
    '.github/**/*.md',
)
PAGES = sorted(path for pattern in PATTERNS for path in ROOT.glob(pattern))
PAGES = [path for path in PAGES if '_build' not in path.parts]
FENCE = re.compile(r'^(```|~~~).*?^\1', re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r'(`+).+?\1', re.DOTALL)
LINK = re.compile(r'\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"')
# Files of the repository, wherever a page names them: in a command, in code, in prose.
FILE = re.compile(
    r'(?<![\w/.])(?:configs|tools|benchmarks|mmwsis|docs|tests)/[\w./*-]*'
)
MADE = ('docs/_build', 'docs/api/generated', 'mmwsis/.mim')  # git ignores them


@cache
def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    found: dict[str, int] = {}
    for title in re.findall(
        r'^#{1,6} +(.+?) *#*$', FENCE.sub('', page.read_text()), re.M
    ):
        title = re.sub(r'\[([^]]*)\]\([^)]*\)', r'\1', title)
        slug = re.sub(r'[^\w\- ]', '', title.strip().lower()).replace(' ', '-')
        found[slug] = found.get(slug, -1) + 1
        if found[slug]:
            found[f'{slug}-{found[slug]}'] = 0
    return set(found)


def test_pages_are_found():
    assert {'README.md', 'faq.md', 'RESULTS.md', 'irnet.md'} <= {p.name for p in PAGES}


@pytest.mark.parametrize('page', PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = INLINE_CODE.sub('', FENCE.sub('', page.read_text()))
    broken = []
    for match in LINK.finditer(text):
        link = match[1] or match[2]
        if re.match(r'[a-z]+:', link):
            continue  # other sites: `make docs-linkcheck`
        name, _, anchor = link.partition('#')
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken, f'{page.relative_to(ROOT)}: links that lead nowhere: {broken}'


@pytest.mark.parametrize('page', PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_a_page_names_exist(page):
    missing = []
    for name in FILE.findall(page.read_text()):
        name = name.rstrip('.')
        if name.startswith(MADE) or name.endswith(('..', '-')):
            continue
        if not any(ROOT.glob(name)):
            missing.append(name)
    assert not missing, (
        f'{page.relative_to(ROOT)} names files that are not there: {missing}'
    )


def test_classes_that_pages_name_are_registered(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / 'tests' / 'toy_method')
    importlib.import_module('toy_method')  # of docs/new_method.md
    text = '\n'.join(page.read_text() for page in PAGES)
    named = set(re.findall(r'(?<![\w.])mmwsis\.([A-Z]\w+)', text)) - {
        'X'
    }  # type='mmwsis.X'
    registries = [r for r in vars(registry).values() if isinstance(r, Registry)]
    ours = [r for r in registries if r.scope == 'mmwsis']
    unknown = {name for name in named if not any(r.get(f'mmwsis.{name}') for r in ours)}
    assert 'CocoWeakDataset' in named
    assert not unknown


@pytest.mark.slow
def test_html_builds_without_warnings(tmp_path):
    for module in ('sphinx', 'myst_parser', 'furo'):  # requirements/docs.txt
        pytest.importorskip(module)
    shutil.rmtree(ROOT / 'docs/api/generated', ignore_errors=True)  # of old modules
    command = [sys.executable, '-m', 'sphinx', '-W', '--keep-going', '-q', '-b', 'html']
    command += [
        '-d',
        str(tmp_path / 'doctrees'),
        '-c',
        'docs',
        '.',
        str(tmp_path / 'html'),
    ]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    losses = (
        tmp_path / 'html/docs/api/generated/mmwsis.models.losses.html'
    ).read_text()
    assert 'id="mmwsis.models.losses.ProjectionMILLoss"' in losses


def test_the_same_version_stands_everywhere():
    """The package's in the citation, ruff's in pre-commit."""
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text())
    hooks = yaml.safe_load((ROOT / '.pre-commit-config.yaml').read_text())['repos']
    verified = (ROOT / 'requirements/verified.txt').read_text()
    assert str(citation['version']) == __version__
    assert f'ruff=={hooks[0]["rev"].removeprefix("v")}\n' in verified


def test_files_for_github_are_yaml():
    files = sorted((ROOT / '.github').rglob('*.yml'))
    assert len(files) == 3
    assert all(yaml.safe_load(path.read_text())['name'] for path in files)
