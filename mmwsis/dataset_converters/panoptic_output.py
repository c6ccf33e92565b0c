"""COCO's panoptic format beside an instances file: one PNG per image and one JSON."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmwsis.formats.segment_maps import encode_segment_map
from mmwsis.utils.fileio import atomic_write_bytes

from .image_records import Record


def write_segment_ids(path: str | os.PathLike, ids: np.ndarray) -> None:
    """Write segment ids as COCO stores them: R + 256 G + 65536 B.

    Args:
        path: PNG to write, in one step.
        ids: Integers (H, W), 0 (void) to 2**24 - 1.
    """
    atomic_write_bytes(path, encode_segment_map(ids, where=str(path)))


def write_png(path: str | os.PathLike, pixels: np.ndarray) -> None:
    """Write a PNG in one step.

    Args:
        path: File to write.
        pixels: uint8 grey (H, W) or BGR (H, W, 3).
    """
    _, content = cv2.imencode('.png', pixels)
    atomic_write_bytes(path, content.tobytes())


def panoptic_json(panoptic_dir: str | os.PathLike | None) -> list[Path]:
    """The JSON beside a folder of panoptic PNGs, which bears its name.

    Args:
        panoptic_dir: The folder; None where there are no panoptic files.

    Returns:
        Its path alone, or nothing.
    """
    return [Path(panoptic_dir).with_suffix('.json')] if panoptic_dir else []


def panoptic_document(
    records: Sequence[Record],
    info: Mapping[str, Any],
    categories: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """The JSON that goes with the PNGs.

    Args:
        records: With ``image`` (its id included) and ``segments`` (``segments_info``).
        info: The document's ``info``.
        categories: Things before stuff, with ``isthing``.

    Returns:
        COCO panoptic dictionary; a PNG has the name of its image.
    """
    return {
        'info': info,
        'images': [record['image'] for record in records],
        'annotations': [
            dict(
                image_id=record['image']['id'],
                file_name=str(Path(record['image']['file_name']).with_suffix('.png')),
                segments_info=record['segments'],
            )
            for record in records
        ],
        'categories': list(categories),
    }
