"""The categories of a COCO file, read without the rest of it, and their names."""

import json
import mmap
import os
import re
from collections.abc import Sequence
from typing import Any

_CATEGORIES_KEY = re.compile(rb'"categories"\s*:\s*(?=\[)')


def read_categories(path: str | os.PathLike) -> list[dict[str, Any]] | None:
    """Read only the categories of a COCO file, without parsing the rest.

    Args:
        path: Annotation file; those of COCO have 450 MB.

    Returns:
        The categories, ``None`` if the file has none.
    """
    if os.path.getsize(path) == 0:
        return None
    with (
        open(path, 'rb') as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        # The word may also stand in a text field or in `info`.
        for match in _CATEGORIES_KEY.finditer(data):
            for size in (1 << 16, 1 << 26):
                text = data[match.end() : match.end() + size].decode('utf-8', 'ignore')
                try:
                    categories, _ = json.JSONDecoder().raw_decode(text)
                except ValueError:
                    continue
                if _are_categories(categories):
                    return categories
                break
    return None


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
