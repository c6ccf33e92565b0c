"""Where a file of pseudo labels comes from, read without the rest of it."""

import json
import mmap
import os
import re
from typing import Any

_KEY = re.compile(rb'"mmwsis"\s*:\s*(?=\{)')
_WINDOW = 1 << 20  # bytes; the entry has a few hundred


def read_provenance(path: str | os.PathLike) -> dict[str, Any] | None:
    """Read ``info.mmwsis`` of a COCO file.

    Args:
        path: Annotation file.

    Returns:
        ``method``, ``config``, ``supervision``... as label generation wrote them;
        ``None`` for a file of another origin.
    """
    if os.path.getsize(path) == 0:
        return None
    with (
        open(path, 'rb') as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        # A converter writes one, too; that of label generation names its method.
        for match in _KEY.finditer(data):
            text = data[match.end() : match.end() + _WINDOW].decode('utf-8', 'ignore')
            try:
                entry, _ = json.JSONDecoder().raw_decode(text)
            except ValueError:
                continue
            if isinstance(entry, dict) and 'method' in entry:
                return entry
    return None
