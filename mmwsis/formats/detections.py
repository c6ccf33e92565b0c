"""Boxes that a detector found, as COCO results."""

import math
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .categories import name_list
from .coco_file import match_classes
from .json_file import read_json


class ImageDetections(NamedTuple):
    """What was detected in one image, in the order of the file.

    Attributes:
        bboxes: ``(N, 4)`` float32: x0, y0, x1, y1 in pixels.
        labels: ``(N,)`` int64, index into the classes of the reader.
        scores: ``(N,)`` float32 in [0, 1].
    """

    bboxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray


class DetectionFile:
    """Reads what a detector found, each image when it is asked for.

    The file is what ``tools/generate_pseudo_labels.py --artifact detections`` wrote, a
    COCO JSON whose categories are matched by name; or a bare list of COCO results, as
    MMDetection's ``outfile_prefix`` and most detectors write them::

        [{"image_id": 42, "category_id": 1, "bbox": [x, y, w, h], "score": 0.9}, ...]

    A bare list does not say what its category ids mean, nor which of its images were
    looked at: one without an entry has no detections.

    Args:
        path: The file.
        classes: Names of the classes that may be detected; the index is the label.
        category_ids: What a bare list calls them, one id per class. Defaults to None.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is none of the two, or does not have a class.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        classes: Sequence[str],
        category_ids: Sequence[int] | None = None,
    ) -> None:
        self.path, self.classes = str(path), tuple(classes)
        content = read_json(self.path)
        is_document = isinstance(content, dict)
        entries = content.get('annotations') if is_document else content
        lists = [entries]
        if is_document:
            lists += [content.get('images'), content.get('categories')]
        if not all(_are_objects(entry) for entry in lists):
            raise ValueError(
                f'{self.path}: expected COCO results, a list of objects with image_id, '
                'category_id, bbox and score, or a COCO JSON with such annotations.'
            )
        if is_document:
            category_ids = match_classes(self.classes, content['categories'], self.path)
        elif category_ids is None:
            raise ValueError(
                f'{self.path} is a bare list of results, which names no classes: give '
                'the category ids that it has for them.'
            )
        self._label = {key: label for label, key in enumerate(category_ids)}
        images = content['images'] if is_document else None
        self._images = images and {image.get('id') for image in images}
        self._entries: dict[Any, list[tuple[int, dict[str, Any]]]] = {}
        for index, entry in enumerate(entries):
            key = entry.get('image_id')
            if not isinstance(key, (int, str)):
                raise ValueError(
                    f'{self.path}: detection {index}: image_id must be the id of an '
                    f'image, got {key!r}.'
                )
            self._entries.setdefault(key, []).append((index, entry))

    def read(self, image_id: Any) -> ImageDetections:
        """What was detected in one image.

        Args:
            image_id: As in the label file.

        Returns:
            All of the image; none where the detector found nothing.

        Raises:
            ValueError: The file is of other images; or an entry has a class that is
                none of ``classes``, no box, or a score outside [0, 1]. The message
                names the file, the image id and the place in the list.
        """
        if self._images is not None and image_id not in self._images:
            raise ValueError(
                f'{self.path} does not list image id {image_id!r}, as it does images '
                'without a detection, too. It was made for other images; make it anew.'
            )
        found = self._entries.get(image_id, [])
        rows = [self._row(entry, image_id, index) for index, entry in found]
        table = np.array(rows, dtype=np.float64).reshape(-1, 6)
        boxes = table[:, :4].astype(np.float32)
        boxes[:, 2:] = table[:, :2] + table[:, 2:4]
        return ImageDetections(
            boxes, table[:, 4].astype(np.int64), table[:, 5].astype(np.float32)
        )

    def _row(self, entry: dict[str, Any], image_id: Any, index: int) -> list[float]:
        where = f'{self.path}: image id {image_id!r}, detection {index}'
        category = entry.get('category_id')
        if not isinstance(category, (int, str)) or category not in self._label:
            raise ValueError(
                f'{where}: category_id {category!r} is none of the classes that are '
                f'detected, {name_list(self.classes)}, which have the ids '
                f'{[*self._label]}.'
            )
        box, score = entry.get('bbox'), entry.get('score')
        if not (
            isinstance(box, list)
            and len(box) == 4
            and all(map(_is_number, box))
            and min(box[2:]) >= 0
        ):
            raise ValueError(
                f'{where}: bbox must be [x, y, width, height], finite numbers in '
                f'pixels; got {box!r}.'
            )
        if not (_is_number(score) and 0 <= score <= 1):
            raise ValueError(f'{where}: score must lie in [0, 1], got {score!r}.')
        return [*box, self._label[category], score]


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
    )
