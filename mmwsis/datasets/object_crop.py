"""Dataset of object crops: one sample per annotation, as labelers train on them."""

import os.path as osp
from collections.abc import Mapping
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset

from mmwsis.formats.categories import name_list
from mmwsis.formats.coco_file import (
    annotations_by_image,
    image_file_name,
    load_coco,
    match_classes,
)
from mmwsis.registry import DATASETS
from mmwsis.structures.crop_limits import DEFAULT_CROPS, crop_limits
from mmwsis.structures.supervision import Supervision

from .seeded_samplers import SeededDraws


@DATASETS.register_module()
class ObjectCropDataset(SeededDraws, BaseDataset):
    """One sample per annotation of a COCO JSON (MAL, CVPR 2023; EXITS, CVPR 2024).

    The annotations of one image follow each other, in the order of the file, so that an
    unshuffled loader decodes every image once. The data of a sample are ``img_id``,
    ``img_path``, ``height``, ``width``, ``ann_id``, ``category_id``, ``label``,
    ``bbox`` (float32 (4,), x0, y0, x1, y1 in image pixels), ``area`` (float, width
    times height of that box), ``extreme_points`` (float64 (4, 2) or None), ``iscrowd``,
    and at 'masks' ``gt_mask`` (polygons or RLE as in the file, or None).

    At 'extreme_points' the box is the one of the four points, whatever the file's own.

    Args:
        ann_file: COCO JSON, relative to ``data_root`` unless absolute.
        supervision: 'boxes' (MAL), 'extreme_points' (EXITS), or 'masks', which is meant
            for evaluation only.
        metainfo: ``classes``: names in the order of the labels; annotations of other
            classes are left out. Without it, all categories of the file.
        data_prefix: ``img``: folder of the images, relative to ``data_root``.
        filter_cfg: Applies in training: keeps ``min_area < area < max_area`` in pixels,
            both sides ``> min_size`` pixels, and no crowd. None, or ``test_mode``,
            keeps every annotation, crowd included.
        backend_args: Arguments of MMEngine's file backend.
        **kwargs: Arguments of ``mmengine.dataset.BaseDataset``: ``data_root``,
            ``pipeline``, ``test_mode``, ``indices``, ``serialize_data``, ``lazy_init``.

    Raises:
        FileNotFoundError: There is no annotation file.
        ValueError: A level without boxes, an unknown class name, nothing left to train
            on, or a broken entry of the file; the message names file, image id and
            annotation id.
    """

    def __init__(
        self,
        ann_file: str = '',
        *,
        supervision: 'str | Supervision',
        metainfo: Mapping | None = None,
        data_prefix: dict | None = None,
        filter_cfg: dict | None = DEFAULT_CROPS,
        backend_args: dict | None = None,
        **kwargs: Any,
    ) -> None:
        level = Supervision.parse(supervision)
        if level < Supervision.BOXES:
            raise ValueError(
                'ObjectCropDataset cuts out boxes: supervision must be at least '
                f"'boxes', got {level.label!r}."
            )
        unknown = set(filter_cfg or ()) - DEFAULT_CROPS.keys()
        if unknown:
            raise ValueError(
                f'filter_cfg knows {sorted(DEFAULT_CROPS)}, got {sorted(unknown)}.'
            )
        self.supervision = level.label
        self.backend_args = backend_args
        super().__init__(
            ann_file=ann_file,
            metainfo=metainfo,
            data_prefix=dict(img='') if data_prefix is None else data_prefix,
            filter_cfg=filter_cfg,
            **kwargs,
        )

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read ``ann_file`` through the leak guard.

        Returns:
            One dictionary per annotation, those of one image following each other.
        """
        coco = load_coco(self.ann_file, self.supervision, self.backend_args)
        self._metainfo.setdefault(
            'classes', tuple(c['name'] for c in coco['categories'])
        )
        classes = self._metainfo['classes']
        cat_ids = match_classes(classes, coco['categories'], self.ann_file)
        cat2label = {cat_id: label for label, cat_id in enumerate(cat_ids)}
        by_image = annotations_by_image(coco)
        # In a mix of levels, images weaker than boxes have nothing to cut out.
        data_list = [
            self._parse_object(annotation, image, cat2label)
            for image in coco['images']
            for annotation in by_image[image['id']]
            if annotation['category_id'] in cat2label and 'bbox' in annotation
        ]
        if not data_list:
            raise ValueError(
                f'{self.ann_file}: no annotation of the classes '
                f'{name_list(classes)}; the file has {len(coco["images"])} images and '
                f'{len(coco["annotations"])} annotations. Check ann_file, and '
                "metainfo['classes'] letter by letter."
            )
        return data_list

    def _parse_object(
        self, annotation: Mapping[str, Any], image: Mapping, cat2label: Mapping
    ) -> dict[str, Any]:
        # Plain numbers: a million small arrays would double the memory of the list. The
        # box keeps its width and height, which x + width - x would round.
        _, _, width, height = annotation['bbox']
        data_info = dict(
            img_id=image['id'],
            img_path=osp.join(self.data_prefix['img'], image_file_name(image)),
            height=image['height'],
            width=image['width'],
            ann_id=annotation['id'],
            category_id=annotation['category_id'],
            label=cat2label[annotation['category_id']],
            bbox_xywh=tuple(annotation['bbox']),
            area=float(width * height),
            extreme_points=annotation.get('extreme_points'),
            iscrowd=int(bool(annotation.get('iscrowd'))),
        )
        if self.supervision == Supervision.MASKS.label:
            data_info['gt_mask'] = annotation.get('segmentation')
        return data_info

    def filter_data(self) -> list[dict[str, Any]]:
        """Drop what a labeler is not trained on; uses boxes and crowd flags only.

        Returns:
            The annotations that are left; all of them in test mode.

        Raises:
            ValueError: None is left.
        """
        if self.test_mode or self.filter_cfg is None:
            return self.data_list
        limits = crop_limits(self.filter_cfg)
        kept = [info for info in self.data_list if _is_trainable(info, limits)]
        if not kept:
            raise ValueError(
                f'{self.ann_file}: no annotation is left to train on. It has '
                f'{len(self.data_list)} of the classes '
                f'{name_list(self._metainfo["classes"])}; '
                f'training keeps {limits["min_area"]} < width * height < '
                f'{limits["max_area"]:g}, both sides > {limits["min_size"]} px and no '
                'crowd. Relax filter_cfg, or give a file with more objects.'
            )
        return kept

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Data of one annotation.

        Args:
            idx: Index in the dataset.

        Returns:
            A copy that a pipeline may change; keys as in the class docstring.
        """
        data_info = super().get_data_info(idx)
        x, y, width, height = data_info.pop('bbox_xywh')
        box = (x, y, x + width, y + height)
        data_info['bbox'] = np.asarray(box, dtype=np.float32)
        if data_info['extreme_points'] is not None:
            points = np.asarray(data_info['extreme_points'], dtype=np.float64)
            data_info['extreme_points'] = points
        return data_info

    def get_cat_ids(self, idx: int) -> list[int]:
        """Label of one sample, for ``ClassBalancedDataset``.

        Args:
            idx: Index in the dataset.

        Returns:
            A list with the one label.
        """
        return [self.get_data_info(idx)['label']]


def _is_trainable(data_info: Mapping[str, Any], limits: Mapping[str, float]) -> bool:
    _, _, width, height = data_info['bbox_xywh']
    return (
        not data_info['iscrowd']
        and limits['min_area'] < data_info['area'] < limits['max_area']
        and min(width, height) > limits['min_size']
    )
