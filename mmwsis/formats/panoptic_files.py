"""COCO panoptic files: a JSON and one PNG per image."""

import logging
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log

from .json_file import read_json
from .segment_maps import VOID, decode_segment_map, is_segment_id

# A file that disagrees with its PNGs does so in every image.
_MOST_WARNINGS = 5


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
        if not all(
            'segments_info' in _object(entry) for entry in content['annotations']
        ):
            raise ValueError(
                f'{ann_file}: its annotations have no segments_info; this is an '
                'instances file, not a panoptic one.'
            )
        self.categories: dict[int, dict] = {}
        for category in content['categories']:
            self._add_category(_object(category))
        self._images = {
            image['id']: image
            for image in map(_object, content['images'])
            if isinstance(image.get('id'), (int, str))
        }
        self._entries: dict[Any, dict] = {}
        for entry in content['annotations']:
            self._add_entry(entry)
        self._told = 0

    def _add_category(self, category: dict[str, Any]) -> None:
        key, name = category.get('id'), category.get('name')
        if not _is_integer(key) or not isinstance(name, str) or key in self.categories:
            raise ValueError(
                f'{self.ann_file}: category id {key!r} named {name!r}: categories need '
                'an integer id, each another one, and a name.'
            )
        if category.get('isthing') not in (0, 1):
            raise ValueError(
                f'{self.ann_file}: category id {key} ({name}) has isthing '
                f'{category.get("isthing")!r}; give 1 for things and 0 for stuff.'
            )
        self.categories[key] = category

    def _add_entry(self, entry: dict[str, Any]) -> None:
        key = entry.get('image_id')
        where = f'{self.ann_file}: image id {key!r}'
        if not isinstance(key, (int, str)) or key in self._entries:
            raise ValueError(
                f'{where}: an annotation needs the id of its image, and an image has '
                'one annotation.'
            )
        if key not in self._images:
            raise ValueError(
                f'{where}: there is an annotation of it, but no such entry of images.'
            )
        if not isinstance(entry.get('file_name'), str) or not entry['file_name']:
            raise ValueError(
                f'{where}: file_name must name the PNG of the segments, got '
                f'{entry.get("file_name")!r}.'
            )
        check_segments(entry['segments_info'], self.categories, where)
        self._entries[key] = entry

    def _tell(self, text: str) -> None:
        self._told += 1
        if self._told <= _MOST_WARNINGS:
            print_log(text, logger='current', level=logging.WARNING)

    @property
    def image_ids(self) -> list[Any]:
        """Ids of the images that have an annotation, in the order of the file."""
        return list(self._entries)

    @property
    def is_thing(self) -> list[bool]:
        """Whether each category is a thing, in the order of ``categories``."""
        return [bool(entry['isthing']) for entry in self.categories.values()]

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
            ``(H, W)`` int64: R + 256 G + 65536 B, or 16 bits of grey; 0 is void.

        Raises:
            FileNotFoundError: The PNG does not exist.
            ValueError: The file has no such image, or the PNG is no map of segments, or
                of another size than the JSON says; the message names it.
        """
        path = self.map_path(image_id)
        if not path.is_file():
            raise FileNotFoundError(
                f'{path} (image id {image_id!r}) does not exist. Set the folder of '
                "panoptic PNGs (seg_prefix) to where the JSON's file_name are found."
            )
        where = f'{path} (image id {image_id!r})'
        ids = decode_segment_map(path.read_bytes(), where)
        image = self._images.get(image_id, {})
        size = image.get('height', ids.shape[0]), image.get('width', ids.shape[1])
        if size != ids.shape:
            raise ValueError(
                f'{where} has (height, width) {ids.shape}, {self.ann_file} says {size}.'
            )
        return np.maximum(ids, VOID).astype(np.int64)

    def map_path(self, image_id: Any) -> Path:
        """PNG of an image.

        Args:
            image_id: Of the file.

        Raises:
            ValueError: The file has no annotation of this image.
        """
        return self.seg_dir / self._entry(image_id)['file_name']

    def read_truth(self, image_id: Any) -> tuple[np.ndarray, list[dict[str, Any]]]:
        """Ground truth of an image, with a warning where JSON and PNG disagree.

        Areas are counted in the PNG, whatever the JSON says. A segment that only the
        PNG has belongs to no category: its pixels count in unions alone. One that only
        the JSON has is missed by every prediction.

        Args:
            image_id: Of the file.

        Returns:
            The map of :meth:`segment_map` and ``segments_info``.

        Raises:
            FileNotFoundError: The PNG does not exist.
            ValueError: The file has no such image, or the PNG is no map of segments.
        """
        values, segments = self.segment_map(image_id), self.segments(image_id)
        ids, counts = np.unique(values, return_counts=True)
        area_of = dict(zip(ids.tolist(), counts.tolist()))
        where = f'{self.ann_file}: image id {image_id!r}, ground truth'
        listed = {segment['id'] for segment in segments}
        unlisted = sorted(set(area_of) - listed - {VOID})
        if unlisted:
            self._tell(
                f'{where}: {self.map_path(image_id)} has the segment ids '
                f'{unlisted[:5]}, which segments_info does not list; their pixels are '
                'of no category.'
            )
        found = []
        for segment in segments:
            area = area_of.get(segment['id'], 0)
            if segment.get('area', area) != area:
                self._tell(
                    f'{where}: segment id {segment["id"]} has the area '
                    f'{segment["area"]}, its PNG has {area} pixels of it, which count.'
                )
            elif not area:
                self._tell(
                    f'{where}: segment id {segment["id"]} is listed, but its PNG '
                    'has no pixel of it; it counts as missed.'
                )
            found.append({**segment, 'area': area})
        return values, found

    def _entry(self, image_id: Any) -> Mapping[str, Any]:
        if image_id not in self._entries:
            raise ValueError(
                f'{self.ann_file} has no annotation of image id {image_id!r}; it has '
                f'{len(self._entries)} others.'
            )
        return self._entries[image_id]


def check_segments(segments: Any, category_ids: Collection[int], where: str) -> None:
    """Refuse ``segments_info`` that cannot be judged.

    Args:
        segments: The list.
        category_ids: Ids that may occur.
        where: Names file and image in messages.

    Raises:
        ValueError: No list of objects, an id that is void or listed twice, or an
            unknown category; the message names the segment.
    """
    if not isinstance(segments, (list, tuple)):
        raise ValueError(f'{where}: segments_info must be a list, got {segments!r}.')
    owner: dict[int, Any] = {}
    for segment in map(_object, segments):
        key, category = segment.get('id'), segment.get('category_id')
        if not is_segment_id(key):
            raise ValueError(
                f'{where}: segment id {key!r} is no id: they are integers from 1 to '
                '16777215, because 0 is void in the PNG.'
            )
        if key in owner:
            raise ValueError(
                f'{where}: segment id {key} is listed twice, with the category ids '
                f'{owner[key]!r} and {category!r}; every segment needs a colour of its '
                'own.'
            )
        if not _is_integer(category) or category not in category_ids:
            raise ValueError(
                f'{where}: segment id {key} has the unknown category id {category!r}.'
            )
        owner[key] = category


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_integer(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def is_panoptic_file(path: str | os.PathLike) -> bool:
    """Whether a JSON is a COCO panoptic file.

    Args:
        path: The file.
    """
    content = read_json(str(path))
    annotations = content.get('annotations') if isinstance(content, dict) else None
    return bool(
        isinstance(annotations, list)
        and annotations
        and 'segments_info' in _object(annotations[0])
    )
