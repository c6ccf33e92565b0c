"""Atomic writing of files: a reader sees the old file or the whole new one.

The data go to a temporary file in the same directory, are flushed to disk, and are
then renamed over the target. A process killed at any moment leaves the target as it
was; the stray temporary file is named so that nothing mistakes it for a result.
"""

import json
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, Any

TEMPORARY_SUFFIX = '.partial'


def atomic_write_bytes(path: str | os.PathLike, data: bytes) -> None:
    """Write bytes so that ``path`` is never seen half-written.

    Args:
        path: Target file. Missing parent directories are made.
        data: The whole content.

    Raises:
        OSError: The directory cannot be written; the target is unchanged.
    """
    _replace(Path(path), 'wb', lambda file: file.write(data))


def atomic_write_text(path: str | os.PathLike, text: str) -> None:
    """Write UTF-8 text so that ``path`` is never seen half-written.

    Args:
        path: Target file. Missing parent directories are made.
        text: The whole content; line ends are written as they are.

    Raises:
        OSError: The directory cannot be written; the target is unchanged.
    """
    atomic_write_bytes(path, text.encode('utf-8'))


def atomic_write_json(
    path: str | os.PathLike, obj: Any, indent: int | None = None
) -> None:
    """Write one JSON document so that ``path`` is never seen half-written.

    Args:
        path: Target file. Missing parent directories are made.
        obj: JSON-serialisable object. NaN and infinity are refused, because they
            are not JSON and other readers stumble over them.
        indent: Spaces of indentation; ``None`` writes the compact form.

    Raises:
        TypeError: An object that JSON cannot hold; the target is unchanged.
        ValueError: A NaN or an infinity; the target is unchanged.
        OSError: The directory cannot be written; the target is unchanged.
    """
    separators = (',', ':') if indent is None else (',', ': ')

    def write(file: IO) -> None:
        # dumps runs in C; dump would call Python once a token.
        text = json.dumps(obj, indent=indent, separators=separators, allow_nan=False)
        file.write(text)

    _replace(Path(path), 'w', write)


def json_rows(head: Mapping[str, Any], key: str, rows: Iterable[Any]) -> str:
    """Write a long list of a JSON object one entry per line, for people and for diffs.

    Args:
        head: The other entries of the object, one per line.
        key: Name of the list, which comes last; without ``head`` it is ignored and the
            bare list is written.
        rows: Entries of the list.

    Returns:
        The document, with a line end at its end.
    """
    lines = ',\n'.join(json.dumps(row, separators=(',', ':')) for row in rows)
    listing = f'[\n{lines}\n]' if lines else '[]'
    if not head:
        return f'{listing}\n'
    entries = ',\n'.join(
        f'{json.dumps(name)}:{json.dumps(value, separators=(",", ":"))}'
        for name, value in head.items()
    )
    return f'{{{entries},\n{json.dumps(key)}:{listing}}}\n'


def _replace(path: Path, mode: str, write: Callable[[IO], Any]) -> None:
    """Run ``write`` on a temporary neighbour of ``path``, then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Several ranks may write the same target: each needs a name of its own.
    unique = f'{os.getpid()}-{secrets.token_hex(4)}'
    temporary = path.with_name(f'.{path.name}.{unique}{TEMPORARY_SUFFIX}')
    encoding = None if 'b' in mode else 'utf-8'
    newline = None if 'b' in mode else ''
    try:
        with open(temporary, mode, encoding=encoding, newline=newline) as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(path: str | os.PathLike) -> None:
    """Flush a directory's entries, so that a rename survives a power cut.

    Args:
        path: Directory. Systems that cannot open directories are left alone.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except (OSError, PermissionError):
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)
