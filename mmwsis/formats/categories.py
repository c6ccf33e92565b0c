"""The categories of a COCO file, read without the rest of it, and their names."""

import contextlib
import json
import mmap
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any


def read_categories(path: str | os.PathLike) -> list[dict[str, Any]] | None:
    """Read only the categories of a COCO file, without parsing the rest.

    Args:
        path: Annotation file; those of COCO have 450 MB.

    Returns:
        The categories, ``None`` if the file has none.
    """
    # The word may also stand in a text field or in `info`.
    return next(filter(_are_categories, values_of_key(path, 'categories')), None)


def values_of_key(path: str | os.PathLike, key: str) -> Iterator[Any]:
    """Find the values of a key anywhere in a JSON file, without parsing the rest.

    Args:
        path: The file.
        key: Name of the key.

    Yields:
        What stands behind the key, if it is a list or an object of at most 64 MB.
    """
    if os.path.getsize(path) == 0:
        return
    with (
        open(path, 'rb') as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        for match in re.finditer(rb'"%b"\s*:\s*(?=[\[{])' % key.encode(), data):
            for size in (1 << 16, 1 << 26):
                text = data[match.end() : match.end() + size].decode('utf-8', 'ignore')
                with contextlib.suppress(ValueError):
                    yield json.JSONDecoder().raw_decode(text)[0]
                    break


def name_list(names: Sequence[str], limit: int = 20) -> str:
    """Names for a message, which LVIS's 1,203 would bury.

    Args:
        names: Class names.
        limit: How many are shown.

    Returns:
        Such as "'bolt', 'nut' and 3 more".
    """
    text = ', '.join(map(repr, names[:limit]))
    more = len(names) - limit
    return f'{text} and {more} more' if more > 0 else text


def _are_categories(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, dict) and 'id' in item and 'name' in item for item in value
    )
