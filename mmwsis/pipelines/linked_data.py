"""Folders in which a dataset is linked, so that a run writes to none but its own."""

from collections.abc import Mapping
from pathlib import Path
from pprint import pformat
from typing import Any

from mmwsis.utils.fileio import atomic_write_text


def link_files(folder: Path, sources: Mapping[str, str | Path]) -> None:
    """Link files and folders of a dataset.

    Args:
        folder: Where the links are made; made if absent.
        sources: Name of each link -> what it leads to.

    Raises:
        FileExistsError: Another file or link bears one of the names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in sources.items():
        link, target = folder / name, Path(source).resolve()
        if link.is_symlink() and link.resolve() == target:
            continue
        if link.is_symlink() or link.exists():
            raise FileExistsError(
                f'{link} is there already and does not lead to {target}: the folder '
                'belongs to another dataset. Name another folder, or move it away.'
            )
        link.symlink_to(target)


def write_data_spec(path: Path, spec: Mapping[str, Any]) -> None:
    """Write a dataset file, unless it is there already and says the same.

    Args:
        path: The file.
        spec: Its ``data_spec``.
    """
    text = f'data_spec = {pformat(dict(spec), sort_dicts=False)}\n'
    if not path.is_file() or path.read_text(encoding='utf-8') != text:
        atomic_write_text(path, text)
