"""Folders of one file per image, with an index, that importers write."""

from collections.abc import Sequence
from pathlib import Path

from mmwsis.formats.map_index import INDEX_NAME, MapIndex

from .conversion import shorten


def replaced_files(out: Path, source: Path, kind: str, overwrite: bool) -> set[Path]:
    """Check where an import writes.

    Args:
        out: Folder to write.
        source: What is imported.
        kind: Of the files, such as 'semantic_maps'.
        overwrite: Whether an older import may be replaced.

    Returns:
        The files of that older import; none without one.

    Raises:
        FileExistsError: ``out`` holds other things, or an import that stays.
        ValueError: ``out`` and ``source`` lie in each other.
    """
    inside, outside = out.resolve(), source.resolve()
    if inside == outside or outside in inside.parents or inside in outside.parents:
        raise ValueError(
            f'{out} and {source} lie in each other; give another --out, so that no '
            'file is written over'
        )
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return set()
    title = kind.replace('_', ' ')
    if not (out / INDEX_NAME).is_file():
        raise FileExistsError(
            f'{out} is not empty and no folder of {title} (it has no {INDEX_NAME}); '
            'give another --out'
        )
    if not overwrite:
        raise FileExistsError(
            f'{out} holds {title}; give another --out, or --overwrite to replace them'
        )
    old = MapIndex(out, kind)
    return {out / old.entry(image_id)['file'] for image_id in old.image_ids}


def refuse_broken(lines: Sequence[str], source: Path, good: int, skip: bool) -> None:
    """Refuse an import of which something is broken.

    Args:
        lines: What is, a line for each image.
        source: What is imported.
        good: Number of images that are not.
        skip: Whether the broken ones may be left out.

    Raises:
        ValueError: They may not, or nothing else is there.
    """
    if lines and (not skip or not good):
        raise ValueError(
            f'{source}: {len(lines)} images cannot be imported, so that nothing was '
            f'written:\n{shorten([*lines])}\n--skip-invalid leaves them out'
        )
