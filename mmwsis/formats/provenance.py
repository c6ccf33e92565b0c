"""Where a file of pseudo labels comes from, read without the rest of it."""

import os
from typing import Any

from .categories import values_of_key


def provenance_of(content: Any) -> dict[str, Any]:
    """``info.mmwsis`` of a parsed file.

    Args:
        content: What the file holds.

    Returns:
        It; empty where there is none, or where another tool uses the keys otherwise.
    """
    info = content.get('info') if isinstance(content, dict) else None
    own = info.get('mmwsis') if isinstance(info, dict) else None
    return own if isinstance(own, dict) else {}


def are_found_instances(content: Any) -> bool:
    """Whether a file holds instances that a labeler found in whole images.

    Args:
        content: What the file holds. Its ``info.mmwsis`` says what was made; files of
            other origin are taken to hold masks of known objects.
    """
    return _artifact_type(content) == 'instances'


def are_found_points(content: Any) -> bool:
    """Whether a file holds points that a labeler found in whole images.

    Args:
        content: What the file holds.
    """
    return _artifact_type(content) == 'points'


def _artifact_type(content: Any) -> str | None:
    made_by = provenance_of(content)
    # Files of version 0.1 spell the key with an e.
    artifact = made_by.get('artifact') or made_by.get('artefact') or {}
    return artifact.get('type') if isinstance(artifact, dict) else None


def has_own_ids(content: Any) -> bool:
    """Whether the annotations of a file of pseudo labels have ids of their own.

    Args:
        content: What the file holds. Its ``info.mmwsis`` says what was made; files of
            other origin are taken to keep the ids of the objects.

    Returns:
        True for instances that were found in whole images, unless they were made for
        points and have their ids: every run numbers them from 1, so that equal ids of
        two files are no sign of one object.
    """
    kept = provenance_of(content).get('keeps_ids', False)
    return are_found_instances(content) and not kept


def read_provenance(path: str | os.PathLike) -> dict[str, Any] | None:
    """Read ``info.mmwsis`` of a COCO file.

    Args:
        path: Annotation file.

    Returns:
        ``method``, ``config``, ``supervision``... as label generation wrote them;
        ``None`` for a file of another origin.
    """
    # A converter writes one, too; that of label generation names its method.
    entries = values_of_key(path, 'mmwsis')
    return next((e for e in entries if isinstance(e, dict) and 'method' in e), None)
