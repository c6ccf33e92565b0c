"""COCO panoptic files: a JSON and one PNG per image."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmwsis.formats.coco_file import read_json
from mmwsis.structures import ids_of_colours


class PanopticFile:
    """Segments of a dataset, read image by image.

    Args:
        ann_file: COCO panoptic JSON.
        seg_dir: Folder of its PNGs, where ``annotations[].file_name`` are found.
        backend_args: Arguments of MMEngine's file backend, for the JSON.

    Attributes:
        categories: Category id -> entry of ``categories``, in the order of the file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no panoptic JSON.
    """

    def __init__(
        self,
        ann_file: str | os.PathLike,
        seg_dir: str | os.PathLike,
        backend_args: dict | None = None,
    ) -> None:
        self.ann_file, self.seg_dir = str(ann_file), Path(seg_dir)
        content = read_json(self.ann_file, backend_args)
        lists = ('images', 'annotations', 'categories')
        if not isinstance(content, dict) or not all(
            isinstance(content.get(key), list) for key in lists
        ):
            raise ValueError(
                f'{ann_file}: expected a COCO panoptic JSON, one object with the lists '
                f'{", ".join(lists)}.'
            )
        if not all('segments_info' in entry for entry in content['annotations']):
            raise ValueError(
                f'{ann_file}: its annotations have no segments_info; this is an '
                'instances file, not a panoptic one.'
            )
        self.categories: dict[int, dict] = {
            category['id']: category for category in content['categories']
        }
        self._entries = {entry['image_id']: entry for entry in content['annotations']}

    @property
    def image_ids(self) -> list[Any]:
        """Ids of the images that have an annotation, in the order of the file."""
        return list(self._entries)

    @property
    def is_thing(self) -> list[bool]:
        """Whether each category is a thing, in the order of ``categories``."""
        return [bool(entry.get('isthing', 1)) for entry in self.categories.values()]

    def segments(self, image_id: Any) -> list[Mapping[str, Any]]:
        """``segments_info`` of an image.

        Args:
            image_id: Of the file.

        Raises:
            ValueError: The file has no annotation of this image.
        """
        return self._entry(image_id)['segments_info']

    def segment_map(self, image_id: Any) -> np.ndarray:
        """Segment ids of an image's pixels.

        Args:
            image_id: Of the file.

        Returns:
            ``(H, W)`` int64: R + 256 G + 65536 B; 0 is void.

        Raises:
            FileNotFoundError: The PNG does not exist.
            ValueError: The file has no such image, or the PNG is no image.
        """
        path = self.seg_dir / self._entry(image_id)['file_name']
        if not path.is_file():
            raise FileNotFoundError(
                f'{path} does not exist. Set the folder of panoptic PNGs (seg_prefix) '
                "to where the JSON's file_name are found."
            )
        bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if bgr is None:
            raise ValueError(f'{path} is no readable image.')
        return ids_of_colours(bgr).astype(np.int64)

    def _entry(self, image_id: Any) -> Mapping[str, Any]:
        if image_id not in self._entries:
            raise ValueError(
                f'{self.ann_file} has no annotation of image id {image_id!r}; it has '
                f'{len(self._entries)} others.'
            )
        return self._entries[image_id]


def is_panoptic_file(path: str | os.PathLike) -> bool:
    """Whether a JSON is a COCO panoptic file.

    Args:
        path: The file.
    """
    content = read_json(str(path))
    annotations = content.get('annotations') if isinstance(content, dict) else None
    return bool(annotations) and 'segments_info' in annotations[0]
