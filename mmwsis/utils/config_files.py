"""The files that a config mentions: what a stage's result depends on."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

# Where `configs/` and `tools/` lie: in a checkout, else in an installed wheel. The
# checkout's own go first, because .mim may be a stale copy of them.
PACKAGE_DIR = Path(__file__).resolve().parents[1]
SHIPPED_ROOTS = (PACKAGE_DIR.parent, PACKAGE_DIR / '.mim')

# Keys that say where things are written, or all that a dataset has, used or not.
_NO_INPUT_KEYS = ('work_dir', 'produces', 'outfile_prefix', 'filename', 'data_spec')


def default_work_dir(
    cfg: Mapping[str, Any], file: str | os.PathLike, dataset: str | None = None
) -> str:
    """Folder of the training run of a config that names none.

    Args:
        cfg: Config.
        file: Its file, or ``'package::path'``.
        dataset: Name of the dataset that ``--dataset`` put in place of its own.

    Returns:
        ``'work_dirs/<config>'``, with the dataset's name between the two. A
        fully-supervised baseline has ``'work_dirs/fully_supervised/<config>'``, because
        the same model on pseudo labels bears the same name.
    """
    wsis = cfg.get('wsis') or {}
    baseline = wsis.get('stage') == 'final_model' and not (
        wsis.get('labeler')
        or wsis.get('labels')
        or wsis.get('method', 'FULL') != 'FULL'
    )
    stem = Path(str(file).rpartition('::')[2]).stem
    parts = ['work_dirs', dataset, 'fully_supervised' if baseline else None, stem]
    return '/'.join(part for part in parts if part)


def files_named_in(settings: Any, root: Path, index_name: str) -> list[Path]:
    """Find the existing files that a config mentions.

    Args:
        settings: Nested settings. An ``ann_file`` is sought below the ``data_root``
            beside it too; of a folder its index.
        root: Directory that relative paths start from.
        index_name: Name of the file that stands for a whole folder.

    Returns:
        Sorted paths as they stand in the config. Keys that name results
        (``work_dir``, ``wsis.produces``...) and ``data_spec`` are left out.
    """
    found = set()
    for path in paths_named_in(settings):
        index = os.path.join(path, index_name)
        found.update(one for one in (path, index) if _is_file(root / one))
    return sorted(Path(path) for path in found)


def paths_named_in(value: Any, data_root: str = '') -> Iterator[str]:
    """Find the strings of a config that may be paths, whether they exist or not.

    Args:
        value: Nested settings; keys are left out as by :func:`files_named_in`.
        data_root: Joined with each string, besides the string itself; a ``data_root``
            in the settings takes its place.

    Yields:
        Every string with a dot or a slash, with and without the data root.
    """
    if isinstance(value, dict):
        data_root = value.get('data_root') or data_root
        for key, entry in value.items():
            if key not in _NO_INPUT_KEYS:
                yield from paths_named_in(entry, data_root)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from paths_named_in(entry, data_root)
    elif isinstance(value, str) and re.search(r'[./]', value) and len(value) < 1024:
        yield value
        if data_root:
            yield os.path.join(data_root, value)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
