"""What a labeler made of an image, as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmwsis.formats.class_maps import read_class_maps
from mmwsis.formats.coco_masks import annotation_mask
from mmwsis.formats.json_file import read_json
from mmwsis.formats.segment_maps import decode_segment_map
from mmwsis.formats.semantic_maps import read_semantic_map

if TYPE_CHECKING:
    from mmwsis.pseudo_labels.artifact import Artifact

    from .given_images import GivenImage

Records = Mapping[Any, Mapping[str, Any]]


@dataclass(repr=False)
class LabelResult:
    """What was made of one image; fields that an artifact does not have are None.

    Attributes:
        image: Path of the image, or ``'images[3]'`` for an array.
        size: ``(H, W)`` in pixels.
        artifact: Kind: 'object_masks' (a mask for every object that was given, in this
            order), 'instances', 'detections', 'points', 'proposals', 'class_maps',
            'semantic_maps' or 'panoptic_maps'.
        classes: Names that ``labels`` are indices into.
        labels: ``(N,)`` int64; of class maps ``(K,)``. None where nobody named classes.
        scores: ``(N,)`` float64 in [0, 1]. An object whose mask is its filled box,
            because the labeler found nothing in it, has 0.
        masks: ``(N, H, W)`` bool, or N compressed RLEs.
        boxes: ``(N, 4)`` float64: x0, y0, x1, y1 in pixels; tight where there are
            masks.
        points: ``(N, 2)`` float64: x, y in pixels.
        class_maps: Name -> ``(K, ...)`` array.
        label_map: ``(H, W)``: indices into ``map_classes`` (semantic maps, uint8, 255
            unknown), or ids of ``segments`` (panoptic maps, int32, 0 unknown).
        map_classes: Name of every value of a semantic map.
        segments: Of a panoptic map: ``id``, ``label``, ``area``, ``iscrowd`` and, where
            the model gives one, ``score``.
    """

    image: str
    size: tuple[int, int]
    artifact: str
    classes: tuple[str, ...]
    labels: np.ndarray | None = None
    scores: np.ndarray | None = None
    masks: np.ndarray | list[dict[str, Any]] | None = None
    boxes: np.ndarray | None = None
    points: np.ndarray | None = None
    class_maps: dict[str, np.ndarray] | None = None
    label_map: np.ndarray | None = None
    map_classes: tuple[str, ...] | None = None
    segments: list[dict[str, Any]] | None = None

    def __repr__(self) -> str:
        height, width = self.size
        known = (self.scores, self.labels, self.segments)
        count = next((f', {len(one)} found' for one in known if one is not None), '')
        return (
            f'LabelResult({self.image!r}, {width} x {height}, {self.artifact}{count})'
        )

    @property
    def names(self) -> list[str] | None:
        """Class name of every label."""
        if self.labels is None:
            return None
        return [self.classes[label] for label in self.labels]


def read_results(
    artifact: Artifact,
    records: Records,
    images: Sequence[GivenImage],
    classes: tuple[str, ...],
    rle: bool = False,
) -> list[LabelResult]:
    """Read back what label generation keeps of each image.

    Args:
        artifact: What was made.
        records: Id of an item -> its record.
        images: The images; their ids are 0, 1, ...
        classes: Class names.
        rle: Leave masks compressed. Defaults to False.

    Returns:
        One result for each image.
    """
    found = [
        LabelResult(image.name, image.size, artifact.kind, classes) for image in images
    ]
    if hasattr(artifact, 'annotations'):
        by_image: list[list[Mapping[str, Any]]] = [[] for _ in images]
        for annotation in artifact.annotations(records):
            by_image[annotation['image_id']].append(annotation)
        for result, annotations in zip(found, by_image, strict=True):
            _fill_objects(result, annotations, artifact.source.category_ids, rle)
    else:
        for index, result in enumerate(found):
            _fill_map(result, artifact, records[index], rle)
    return found


def _fill_objects(
    result: LabelResult,
    annotations: Sequence[Mapping[str, Any]],
    category_ids: Sequence[int],
    rle: bool,
) -> None:
    """Objects of a COCO file; nothing but their size is known where there are none."""
    labels = [category_ids.index(one['category_id']) for one in annotations]
    result.labels = np.array(labels, dtype=np.int64)
    result.scores = np.array([one['score'] for one in annotations], dtype=float)
    if result.artifact == 'points':
        points = [one['point'] for one in annotations]
        result.points = np.array(points, dtype=float).reshape(-1, 2)
        return
    boxes = np.array([one['bbox'] for one in annotations], dtype=float).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    result.boxes = boxes
    if result.artifact != 'detections':
        result.masks = _masks(annotations, result.size, rle)


def _masks(
    annotations: Sequence[Mapping[str, Any]], size: tuple[int, int], rle: bool
) -> np.ndarray | list[dict[str, Any]]:
    rles = [one['segmentation'] for one in annotations]
    if rle:
        return rles
    masks = np.zeros((len(rles), *size), dtype=bool)
    for mask, encoded in zip(masks, rles):
        mask[:] = annotation_mask(encoded, size, 'mask')
    return masks


def _fill_map(
    result: LabelResult, artifact: Artifact, record: Mapping[str, Any], rle: bool
) -> None:
    """What stands in a file of its own, of a folder of maps."""
    path = artifact.folder / record['file']
    if artifact.kind == 'class_maps':
        result.labels, _, result.class_maps = read_class_maps(path)
    elif artifact.kind == 'semantic_maps':
        result.label_map = read_semantic_map(path)
        result.map_classes = artifact.classes
    elif artifact.kind == 'panoptic_maps':
        result.label_map = decode_segment_map(path.read_bytes(), result.image)
        label_of = {key: at for at, key in enumerate(artifact.source.category_ids)}
        result.segments = [
            dict(
                label=label_of[one['category_id']],
                **{key: one[key] for key in one if key != 'category_id'},
            )
            for one in record['segments_info']
        ]
    else:  # proposals, which have no class
        rows = read_json(str(path))
        result.scores = np.array([row['score'] for row in rows], dtype=float)
        result.masks = _masks(rows, result.size, rle)
