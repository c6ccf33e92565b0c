"""One scene as files and as entries of COCO documents."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mmwsis.formats.coco_masks import encode_mask
from mmwsis.ops.connected_components import count_components
from mmwsis.structures import colours_of_ids

from ..voc_classes import voc_label_png
from .canvas import MIN_PART_PIXELS
from .scene import STUFF_CLASSES, THING_CLASSES, Scene, compose_scene

CATEGORY_IDS = {
    name: k for k, name in enumerate((*THING_CLASSES, *STUFF_CLASSES), start=1)
}
JPEG_QUALITY = 95


@dataclass
class SceneRecord:
    """What a scene contributes to the dataset's documents.

    Attributes:
        image: COCO image entry.
        annotations: COCO annotations without id.
        panoptic: Panoptic annotation.
        parts: Number of visible connected components of each object.
    """

    image: dict[str, Any]
    annotations: list[dict[str, Any]] = field(default_factory=list)
    panoptic: dict[str, Any] = field(default_factory=dict)
    parts: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class SceneJob:
    """Which scene to write, and where.

    Attributes:
        root: Root folder of the dataset.
        split: 'train' or 'val'.
        seed: Seed of the dataset.
        stream: Number of the split.
        index: Position in the split, from 0.
        image_id: Id of the image, unique in the dataset.
        size: Side of the square image in pixels.
    """

    root: Path
    split: str
    seed: int
    stream: int
    index: int
    image_id: int
    size: int


def write_scene(job: SceneJob) -> SceneRecord:
    """Compose a scene and write its image and label files.

    Args:
        job: Which scene, and where to.

    Returns:
        Its entries in the dataset's documents.
    """
    scene = compose_scene(job.seed, job.stream, job.index, job.size)
    stem = f'{job.image_id:06d}'
    record = describe_scene(scene, job.image_id, f'{stem}.png')
    root, jpeg = job.root, dict(quality=JPEG_QUALITY, subsampling=0)
    _save(scene.image, root / f'{job.split}/{stem}.png')
    _save(
        panoptic_colours(scene), root / f'annotations/panoptic_{job.split}/{stem}.png'
    )
    _save(scene.image, root / f'voc/JPEGImages/{stem}.jpg', **jpeg)
    for kind, labels in (('Class', _classes(scene)), ('Object', scene.instances)):
        path = root / f'voc/Segmentation{kind}/{stem}.png'
        path.write_bytes(voc_label_png(labels))
    return record


def describe_scene(scene: Scene, image_id: int, file_name: str) -> SceneRecord:
    """Entries of a scene in COCO's instance and panoptic documents.

    Args:
        scene: The scene.
        image_id: Id of its image.
        file_name: Name of its image file.

    Returns:
        The entries; annotation ids are given later, in the order of images.
    """
    height, width = scene.instances.shape
    record = SceneRecord(
        dict(id=image_id, file_name=file_name, height=height, width=width)
    )
    segments = []
    for k, name in enumerate(scene.names, start=1):
        mask = scene.instances == k
        entry = dict(
            image_id=image_id,
            category_id=CATEGORY_IDS[name],
            bbox=_box(mask),
            area=int(mask.sum()),
            iscrowd=0,
        )
        record.annotations.append({**entry, 'segmentation': encode_mask(mask)})
        record.parts.append(count_components(mask, MIN_PART_PIXELS))
        segments.append(_segment(k, entry))
    stuff = _visible_stuff(scene)
    for k, name in enumerate(STUFF_CLASSES):
        mask = stuff == k
        if mask.any():
            entry = dict(
                category_id=CATEGORY_IDS[name],
                bbox=_box(mask),
                area=int(mask.sum()),
                iscrowd=0,
            )
            segments.append(_segment(CATEGORY_IDS[name] * 256, entry))
    record.panoptic = dict(
        image_id=image_id, file_name=file_name, segments_info=segments
    )
    return record


def panoptic_colours(scene: Scene) -> np.ndarray:
    """Segment ids as COCO's panoptic PNGs store them, R + 256 G + 65536 B.

    Objects have the ids 1, 2, ... of their image, stuff 256 times its category id.

    Args:
        scene: The scene.

    Returns:
        uint8 (H, W, 3).
    """
    ids = scene.instances.astype(np.int64)
    stuff = _visible_stuff(scene)
    for k, name in enumerate(STUFF_CLASSES):
        ids[stuff == k] = CATEGORY_IDS[name] * 256
    return np.ascontiguousarray(colours_of_ids(ids)[..., ::-1])


def _visible_stuff(scene: Scene) -> np.ndarray:
    return np.where(scene.instances == 0, scene.stuff, 255)


def _classes(scene: Scene) -> np.ndarray:
    """VOC classes: 0 background (all stuff), then the things from 1 on."""
    table = [0, *(CATEGORY_IDS[name] for name in scene.names)]
    return np.asarray(table, dtype=np.uint8)[scene.instances]


def _segment(segment_id: int, entry: dict[str, Any]) -> dict[str, Any]:
    keys = ('category_id', 'bbox', 'area', 'iscrowd')
    return {'id': segment_id, **{key: entry[key] for key in keys}}


def _box(mask: np.ndarray) -> list[int]:
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    return [left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top]


def _save(image: np.ndarray, path: Path, **options: Any) -> None:
    Image.fromarray(image).save(path, **options)
