"""The files that a config mentions: what a stage's result depends on."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .fileio import INDEX_NAME

# Keys that say where things are written, or all that a data set has, used or not.
_NO_INPUT_KEYS = ('work_dir', 'produces', 'outfile_prefix', 'filename', 'data_spec')


def files_named_in(settings: Any, root: Path) -> list[Path]:
    """Find the existing files that a config mentions.

    Args:
        settings: Nested settings. An ``ann_file`` is sought below the ``data_root``
            beside it too; of a folder of maps its index.
        root: Directory that relative paths start from.

    Returns:
        Sorted paths as they stand in the config. Keys that name results
        (``work_dir``, ``wsis.produces``...) and ``data_spec`` are left out.
    """
    found = set()
    for path in _mentioned(settings):
        index = os.path.join(path, INDEX_NAME)
        found.update(one for one in (path, index) if _is_file(root / one))
    return sorted(Path(path) for path in found)


def _mentioned(value: Any, data_root: str = '') -> Iterator[str]:
    """All strings that may be files, with and without the data root."""
    if isinstance(value, dict):
        data_root = value.get('data_root') or data_root
        for key, entry in value.items():
            if key not in _NO_INPUT_KEYS:
                yield from _mentioned(entry, data_root)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from _mentioned(entry, data_root)
    elif isinstance(value, str) and re.search(r'[./]', value) and len(value) < 1024:
        yield value
        if data_root:
            yield os.path.join(data_root, value)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
