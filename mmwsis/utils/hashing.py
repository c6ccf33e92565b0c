"""Fingerprints of files and settings, by which runs know what has changed."""

import hashlib
import json
from pathlib import Path
from typing import Any

_BLOCK = 1 << 20


def hash_file(path: Path) -> str:
    """Return the SHA-256 hex digest of a file's content.

    Args:
        path: File, read in blocks.
    """
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def flatten_settings(value: Any, prefix: str = '') -> dict[str, str]:
    """Flatten nested settings to dotted keys, so that differences have names.

    Args:
        value: Nested dicts, lists, tuples and plain values.
        prefix: Key of ``value`` itself.

    Returns:
        Dotted key -> JSON text of the leaf (``repr`` of what JSON cannot hold).
    """
    if isinstance(value, dict) and value:
        items = ((str(key), entry) for key, entry in value.items())
    elif isinstance(value, (list, tuple)) and any(
        isinstance(entry, (dict, list, tuple)) for entry in value
    ):
        items = ((str(index), entry) for index, entry in enumerate(value))
    else:
        return {prefix: json.dumps(value, default=repr, sort_keys=True)}
    flat = {}
    for key, entry in items:
        flat.update(flatten_settings(entry, f'{prefix}.{key}' if prefix else key))
    return flat
