"""What the converters have in common: how they run, and what they write."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmwsis.formats.coco_file import read_json
from mmwsis.structures.supervision import Supervision
from mmwsis.version import __version__

Progress = Callable[[int], None]


def no_progress(total: int) -> Progress:
    """Count nothing; stands for a progress bar where there is none.

    Args:
        total: Number of items.
    """
    return lambda done: None


@dataclass(frozen=True)
class RunOptions:
    """How a conversion runs; what it makes does not depend on it.

    Attributes:
        workers: Number of processes, >= 1. Defaults to 1.
        skip_invalid: Leave out what is broken, instead of writing nothing. Defaults to
            False.
        overwrite: Replace files that are there. Defaults to False.
        open_progress: Called with the number of items to do; returns the function that
            is called with the number of items just finished.
    """

    workers: int = 1
    skip_invalid: bool = False
    overwrite: bool = False
    open_progress: Callable[[int], Progress] = no_progress


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


def is_made_by(tool: str, path: str | os.PathLike) -> bool:
    """Tell whether a label file says that a tool of ours has made it.

    Args:
        tool: Name of the tool.
        path: COCO JSON.

    Returns:
        False for labels that were drawn or imported, and for files of other programs.

    Raises:
        ValueError: The file is no JSON.
    """
    coco = read_json(str(path))
    info = coco.get('info') if isinstance(coco, Mapping) else None
    block = info.get('mmwsis') if isinstance(info, Mapping) else None
    return isinstance(block, Mapping) and block.get('tool') == tool


def source_block(
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


def with_source(
    coco: Mapping[str, Any],
    tool: str,
    source: str | os.PathLike,
    level: Supervision | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Say in a COCO dictionary where it comes from.

    Args:
        coco: The dictionary; is left as it is.
        tool: Name of the tool that writes it.
        source: The file it was made from.
        level: Supervision level, where all images have the same one.
        **more: Settings to record.

    Returns:
        A new dictionary with :func:`source_block` as ``info.mmwsis``.
    """
    block = source_block(tool, source, level, **more)
    info = coco.get('info') if isinstance(coco.get('info'), Mapping) else {}
    return {**coco, 'info': {**info, 'mmwsis': block}}


def shorten(lines: list[str], shown: int = 10, rest: str = '') -> str:
    """List the first of many messages, indented, one per line.

    Args:
        lines: The messages.
        shown: How many are listed. Defaults to 10.
        rest: Said after the number of the others, such as where they are.

    Returns:
        Text without a final line break.
    """
    listed = lines[:shown]
    if len(lines) > shown:
        listed.append(f'... and {len(lines) - shown} more{rest}')
    return '\n'.join(f'  {line}' for line in listed)
