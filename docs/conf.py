"""Sphinx configuration; `make docs` builds into docs/_build/html.

The source folder is the root of the repository, not docs/: README, the pages of the
methods under configs/ and benchmarks/RESULTS.md are pages of the site as they are, and
a link that works in the checkout works in the HTML.
"""

import os
import pkgutil
import re
import shutil
import subprocess
import sys
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.ext import autosummary

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mmwsis.version import __version__  # noqa: E402

project = 'mmwsis'
author = 'mmwsis contributors'
copyright = author
version = release = __version__

extensions = [
    'myst_parser',
    'sphinx.ext.autodoc',
    'sphinx.ext.autosummary',
    'sphinx.ext.mathjax',  # loaded from a CDN when a page is opened
    'sphinx.ext.napoleon',
    'sphinx.ext.viewcode',
]
root_doc = 'docs/index'
include_patterns = [
    'README.md',
    'CHANGELOG.md',
    'CONTRIBUTING.md',
    'benchmarks/RESULTS.md',
    'configs/*/README.md',
    'docs/**',
]
# Folders that may be large are listed, so that Sphinx does not walk through them.
exclude_patterns = ['.*', 'data', 'work_dirs', 'checkpoints', 'build']
exclude_patterns += ['docs/_build', 'docs/_templates']

# Pages: GitHub's anchors of headings, $x^2$ and ```{math} blocks.
myst_heading_anchors = 4
myst_enable_extensions = ['dollarmath', 'amsmath']
suppress_warnings = ['myst.header']  # a page may skip a level of headings

# API reference, from the docstrings. Members are those of `__all__`.
autosummary_generate = True
autosummary_ignore_module_all = False
# 'Eq. 7' ends no sentence: a summary is the first sentence of a docstring.
autosummary.WELL_KNOWN_ABBREVIATIONS += ('Eq.', 'Eqs.', 'Sec.', 'Fig.', 'Alg.')
templates_path = [str(ROOT / 'docs/_templates')]
autodoc_default_options = {'member-order': 'bysource', 'show-inheritance': True}
autodoc_inherit_docstrings = False
autodoc_typehints = 'description'
autodoc_typehints_description_target = 'documented'
autodoc_typehints_format = 'short'
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
toc_object_entries_show_parents = 'hide'
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True

# References must resolve, but for those to packages with sites of their own.
nitpicky = True
EXTERNAL = 'torch|numpy|np|mmengine|mmdet|mmcv|mmseg|PIL|argparse|collections|enum'
EXTERNAL += '|os|pathlib'
nitpick_ignore_regex = [(r'py:.*', rf'({EXTERNAL})(\..*)?')]

html_theme = 'furo'
html_title = f'mmwsis {release}'
html_extra_path = ['_extra']  # index.html, which leads to docs/index.html
html_copy_source = False

linkcheck_anchors = False
linkcheck_timeout = 20


def source_url() -> str | None:
    """Return the address of the repository's files on the web, or None.

    GitHub Actions names the repository; elsewhere the remote ``origin`` does.
    """
    if 'GITHUB_REPOSITORY' in os.environ:
        server = os.environ.get('GITHUB_SERVER_URL', 'https://github.com')
        return f'{server}/{os.environ["GITHUB_REPOSITORY"]}/blob/main'
    if shutil.which('git') is None:
        return None
    result = subprocess.run(
        ['git', '-C', str(ROOT), 'remote', 'get-url', 'origin'],
        capture_output=True,
        text=True,
    )
    address = r'(?:https://|git@)github\.com[:/](.+?)(?:\.git)?'
    found = re.fullmatch(address, result.stdout.strip())
    return f'https://github.com/{found[1]}/blob/main' if found else None


def link_to_source(app: Sphinx, doctree: nodes.document) -> None:
    """Lead links to files that are no pages, such as configs, to the repository.

    Without a known repository they stay downloads of the file.
    """
    base = source_url()
    if base is None:
        return
    folder = (ROOT / app.env.docname).parent
    for node in list(doctree.findall(addnodes.download_reference)):
        path = (folder / node['reftarget']).resolve().relative_to(ROOT)
        address = f'{base}/{path.as_posix()}'
        link = nodes.reference('', '', *node.children, refuri=address)
        node.replace_self(link)


def resolve_own_name(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, text: nodes.Element
) -> nodes.Element | None:
    """Resolve names of ours that docstrings write short or that have no entry.

    Returns:
        A link; the plain text for a name that exists outside the API reference; None (a
        warning, hence an error) for a name that does not exist.
    """
    if node.get('refdomain') != 'py':
        return None
    target = node['reftarget']
    python = env.domains['py']
    entries = [
        name
        for name in python.objects
        if name.startswith('mmwsis.') and name.endswith(f'.{target}')
    ]
    link = None
    if len(entries) == 1:
        link = python.resolve_xref(
            env, node['refdoc'], app.builder, node['reftype'], entries[0], node, text
        )
    if link is not None:
        return link
    ours = [name for name in sys.modules if name.split('.')[0] == 'mmwsis']
    names = [target, *(f'{module}.{target}' for module in ours)]
    return text if any(map(exists, names)) else None


def exists(name: str) -> bool:
    """Return whether ``name`` is a module or attribute of this package."""
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError, ValueError):
        return False
    return name.startswith('mmwsis.')


def setup(app: Sphinx) -> None:
    """Register the handlers; sources are linked before Sphinx collects downloads."""
    app.connect('doctree-read', link_to_source, priority=100)
    app.connect('missing-reference', resolve_own_name)
