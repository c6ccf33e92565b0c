"""What the converters' output files have in common."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmwsis.structures.supervision import Supervision
from mmwsis.version import __version__


def refuse_existing(
    outputs: Iterable[str | os.PathLike],
    inputs: Iterable[str | os.PathLike],
    overwrite: bool,
) -> None:
    """Refuse to write over an input, and over any file unless it is asked for.

    Args:
        outputs: Files to be written.
        inputs: Files that are read.
        overwrite: Whether existing files may be replaced.

    Raises:
        FileExistsError: An output exists and ``overwrite`` is off.
        ValueError: An output is an input.
    """
    read = {Path(path).resolve() for path in inputs}
    for path in map(Path, outputs):
        if path.exists() and path.resolve() in read:
            raise ValueError(f'{path}: the output would overwrite the input')
        if path.exists() and not overwrite:
            raise FileExistsError(
                f'{path} exists; give another name or --overwrite to replace it'
            )


def provenance(
    tool: str, source: str | os.PathLike, level: Supervision | None = None, **more: Any
) -> dict[str, Any]:
    """The ``info.mmwsis`` block, which says where a label file comes from.

    Args:
        tool: Name of the tool that writes the file.
        source: The file it was made from.
        level: Supervision level, where all images have the same one.
        **more: Settings to record.

    Returns:
        JSON-serialisable dictionary.
    """
    block: dict[str, Any] = {
        'tool': tool,
        'version': __version__,
        'source': Path(source).name,
    }
    if level is not None:
        block['supervision'] = level.label
    return {**block, **more}
