"""Panoptic annotations for MMDetection's panoptic models."""

from typing import Any

import numpy as np
from mmdet.datasets.transforms import LoadAnnotations
from mmdet.structures.mask import BitmapMasks
from mmengine.fileio import get

from mmwsis.formats.segment_maps import decode_segment_map, renumber
from mmwsis.registry import TRANSFORMS

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
        imdecode_backend: MMDetection's; PNGs of segment ids are decoded as stored.
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
        path = results['seg_map_path']
        ids = decode_segment_map(get(path, backend_args=self.backend_args), path)
        size = tuple(results.get('ori_shape') or (results['height'], results['width']))
        if ids.shape != size:
            raise ValueError(
                f'{path} is {ids.shape[1]}x{ids.shape[0]} pixels, '
                f'but its image id {results.get("img_id")!r} is {size[1]}x{size[0]}'
            )
        segments = results['segments_info']
        if self.with_mask:
            things = [one['id'] for one in segments if one.get('is_thing')]
            masks = ids == np.array(things, dtype=ids.dtype)[:, None, None]
            results['gt_masks'] = BitmapMasks(masks.astype(np.uint8), *size)
        if self.with_seg:
            labels = {one['id']: one['category'] for one in segments}
            results['gt_seg_map'] = renumber(ids, labels, IGNORE_LABEL)
