"""Where tools and configs lie: in a checkout or in an installed wheel."""

import contextlib
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from mmwsis.utils.config_files import PACKAGE_DIR, SHIPPED_ROOTS

__all__ = ['PACKAGE_DIR', 'find_config', 'find_tool', 'working_in']


def find_tool(name: str) -> Path:
    """Find one of the project's tools.

    Args:
        name: Path below ``tools/``, with or without that prefix, such as
            ``'tools/train.py'`` or ``'analysis_tools/retention.py'``.

    Returns:
        Absolute path in the checkout, else in the wheel's ``mmwsis/.mim/tools``.

    Raises:
        FileNotFoundError: The tool is in neither place.
    """
    relative = name.removeprefix('tools/')
    places = [root / 'tools' for root in SHIPPED_ROOTS]
    for place in places:
        if (place / relative).is_file():
            return place / relative
    raise FileNotFoundError(
        f'Tool {name!r} was found neither in {places[0]} nor in {places[1]}. '
        'Reinstall mmwsis, or run from a complete checkout.'
    )


def find_config(reference: str | os.PathLike, relative_to: Path) -> Path:
    """Find a config file.

    Args:
        reference: ``'package::path'`` (a config shipped with a package, such as
            ``'mmwsis::exits/solov2_r50.py'``), an absolute path, or a path relative
            to ``relative_to``.
        relative_to: Directory of the file that holds the reference.

    Returns:
        Absolute path of the config file.

    Raises:
        FileNotFoundError: There is no such file; the message lists where it was
            looked for.
    """
    text = os.fspath(reference)
    if '::' in text:
        candidates = _shipped_candidates(text)
    else:
        candidates = [Path(os.path.normpath(relative_to / text))]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    looked = ', '.join(str(candidate) for candidate in candidates)
    raise FileNotFoundError(f'Config {text!r} does not exist; looked for {looked}.')


def _shipped_candidates(reference: str) -> list[Path]:
    """Places of a ``package::path`` config, most specific first."""
    package, _, path = reference.partition('::')
    if package == 'mmwsis':
        roots = [root / 'configs' for root in SHIPPED_ROOTS]
    else:
        found = find_spec(package) if package.isidentifier() else None
        if found is None or not found.origin:
            raise FileNotFoundError(
                f'Config {reference!r} does not exist: no package {package!r} is '
                'installed. Write mmwsis::METHOD/FILE.py, or a path.'
            )
        roots = [Path(found.origin).parent / '.mim' / 'configs']
    return [root / path for root in roots]


@contextlib.contextmanager
def working_in(directory: Path) -> Iterator[None]:
    """Be in a directory for a while.

    Args:
        directory: Becomes the working directory.
    """
    before = Path.cwd()
    os.chdir(directory)
    try:
        yield
    finally:
        os.chdir(before)
