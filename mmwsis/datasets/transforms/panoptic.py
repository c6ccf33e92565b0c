"""Panoptic annotations for MMDetection's panoptic models."""

from typing import Any

import mmcv
import numpy as np
from mmdet.datasets.transforms import LoadAnnotations
from mmdet.structures.mask import BitmapMasks
from mmengine.fileio import get

from mmwsis.registry import TRANSFORMS
from mmwsis.structures import ids_of_colours

IGNORE_LABEL = 255


@TRANSFORMS.register_module()
class LoadPanopticAnnotations(LoadAnnotations):
    """MMDetection's transform of this name, without the package panopticapi.

    Reads what ``mmdet.CocoPanopticDataset`` gives and sets ``gt_bboxes``,
    ``gt_bboxes_labels``, ``gt_ignore_flags``, ``gt_masks`` (of the things that are no
    crowds, in the order of the boxes) and ``gt_seg_map``: int32 (H, W) labels of things
    and stuff, 255 where nothing is labelled. An image without a map gets boxes alone.

    Args:
        with_bbox: Load the boxes.
        with_label: Load their labels.
        with_mask: Load the masks.
        with_seg: Load the semantic map.
        box_type: MMDetection's type of boxes.
        imdecode_backend: Of ``mmcv.imfrombytes``.
        backend_args: Arguments of MMEngine's file backend.
    """

    def __init__(
        self,
        with_bbox: bool = True,
        with_label: bool = True,
        with_mask: bool = True,
        with_seg: bool = True,
        box_type: str = 'hbox',
        imdecode_backend: str = 'cv2',
        backend_args: dict | None = None,
    ) -> None:
        super().__init__(
            with_bbox=with_bbox,
            with_label=with_label,
            with_mask=with_mask,
            with_seg=with_seg,
            box_type=box_type,
            imdecode_backend=imdecode_backend,
            backend_args=backend_args,
        )

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Load what was asked for.

        Args:
            results: Of ``mmdet.CocoPanopticDataset`` and an image loader.

        Returns:
            The same dictionary.

        Raises:
            FileNotFoundError: The map of segment ids does not exist.
            ValueError: It is no image, or not as large as the image; the message
                names it.
        """
        if self.with_bbox:
            self._load_bboxes(results)
        if self.with_label:
            self._load_labels(results)
        if (self.with_mask or self.with_seg) and results.get('seg_map_path'):
            self._load_maps(results)
        return results

    def _load_maps(self, results: dict[str, Any]) -> None:
        ids = self._segment_ids(results['seg_map_path'])
        size = tuple(results.get('ori_shape') or (results['height'], results['width']))
        if ids.shape != size:
            raise ValueError(
                f'{results["seg_map_path"]} is {ids.shape[1]}x{ids.shape[0]} pixels, '
                f'but its image id {results.get("img_id")!r} is {size[1]}x{size[0]}'
            )
        segments = results['segments_info']
        if self.with_mask:
            things = [one['id'] for one in segments if one.get('is_thing')]
            masks = ids == np.array(things, dtype=ids.dtype)[:, None, None]
            results['gt_masks'] = BitmapMasks(masks.astype(np.uint8), *size)
        if self.with_seg:
            results['gt_seg_map'] = _labels(ids, segments)

    def _segment_ids(self, path: str) -> np.ndarray:
        content = get(path, backend_args=self.backend_args)
        # A map of numbers is never turned by EXIF data.
        flag = 'color_ignore_orientation'
        pixels = None
        if content:
            pixels = mmcv.imfrombytes(content, flag, backend=self.imdecode_backend)
        if pixels is None:
            raise ValueError(f'{path} is no readable image')
        return ids_of_colours(pixels)


def _labels(ids: np.ndarray, segments: list[dict[str, Any]]) -> np.ndarray:
    """Label of every pixel; the ids that no segment has are ignored."""
    # One entry more, so that a lookup never leaves the table; ids are below 2 ** 24.
    known = np.array([*(one['id'] for one in segments), 1 << 24], dtype=ids.dtype)
    labels = np.array([*(one['category'] for one in segments), 0], dtype=np.int32)
    order = np.argsort(known)
    index = order[np.searchsorted(known, ids, sorter=order)]
    return np.where(known[index] == ids, labels[index], np.int32(IGNORE_LABEL))
