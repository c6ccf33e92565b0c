"""COCO dataset that shows an image's labels only as far as its supervision goes."""

import os.path as osp
from collections.abc import Mapping
from typing import Any

import numpy as np
from mmdet.datasets import CocoDataset

from mmwsis.formats.categories import name_list
from mmwsis.formats.coco_file import (
    annotations_by_image,
    image_file_name,
    load_coco,
    match_classes,
)
from mmwsis.formats.coco_masks import check_segmentation
from mmwsis.formats.crop_tags import CropTags
from mmwsis.registry import DATASETS
from mmwsis.structures.supervision import Supervision, image_supervision

from .seeded_samplers import SeededDraws


@DATASETS.register_module()
class CocoWeakDataset(SeededDraws, CocoDataset):
    """``mmdet.CocoDataset`` behind the leak guard.

    Everything stronger than ``supervision`` is removed from the parsed JSON before any
    filter, index or transform sees it. At 'boxes' and 'masks' it feeds MMDetection's
    own pipelines; at 'masks' it is ``mmdet.CocoDataset`` with checks. Files without
    ``segmentation`` load at every level. Classes are matched by name, in any order,
    whatever the category ids.

    The data of an image are those of MMDetection (``img_id``, ``img_path``, ``height``,
    ``width``, ``instances``) and

    - ``tags``: sorted labels present in the image, of things and stuff;
      ``num_classes``: length of their multi-hot vector, which
      :class:`mmwsis.datasets.transforms.PackWeakInputs` packs; ``classes``: their
      names, for transforms that match by name, ``stuff_classes``: those of stuff,
      ``category_ids``: their ids in the file; ``supervision``: its level;
    - where the file has them ``crop_tags``: ``dict(size=(h, w), tags=[...])``, the
      sorted labels in each crop of :func:`mmwsis.ops.crop_grid`;
    - in every instance ``ann_id`` and ``ignore_flag`` (1 for crowd), ``bbox_label``,
      from 'boxes' on ``bbox`` (x0, y0, x1, y1), at 'masks' ``mask`` and of a pseudo
      label ``weak_bbox``, the box that its labeler was given, and where the file
      has them and the level may see them ``point`` (float64 (2,)),
      ``extreme_points`` (float64 (4, 2)), all in image pixels, and ``score``, 0 to 1,
      of a point or box that a network found. The score of a mask is not read.

    At 'image_tags' ``instances`` is empty. ``filter_cfg`` is MMDetection's:
    ``filter_empty_gt`` asks for an annotation of a wanted class (at 'image_tags' for a
    tag), ``min_size`` for the shorter side of the image.

    Args:
        *args: Arguments of ``mmdet.CocoDataset``.
        supervision: Level the dataset is declared with: 'image_tags', 'points',
            'boxes', 'extreme_points' or 'masks'. An image with a weaker level of its
            own (``images[].supervision``) is read at that one.
        held_out: Share of the images, drawn with a fixed seed, that are kept apart.
            Defaults to 0.
        only_held_out: The dataset is the images kept apart; otherwise it lacks them.
            Defaults to False.
        min_box_side: From 'boxes' on, objects whose box is narrower or lower are left
            out, and those with an area of 0. With 0 all stay. Defaults to 1 pixel,
            MMDetection's rule.
        **kwargs: Arguments of ``mmdet.CocoDataset``.

    Raises:
        FileNotFoundError: There is no annotation file.
        ValueError: An unknown supervision or class name, or a broken entry of the
            file; the message names the file, the image id and the annotation id.
    """

    def __init__(
        self,
        *args: Any,
        supervision: 'str | Supervision',
        held_out: float = 0.0,
        only_held_out: bool = False,
        min_box_side: float = 1.0,
        **kwargs: Any,
    ) -> None:
        self.held_out = held_out
        self.only_held_out = only_held_out
        self.min_box_side = min_box_side
        # Kept as the plain name, so that the object pickles and prints as in a config.
        self.supervision = Supervision.parse(supervision).label
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read ``ann_file`` through the leak guard.

        Returns:
            One dictionary per image, in the order of the file.
        """
        coco = load_coco(self.ann_file, self.supervision, self.backend_args)
        classes = self._metainfo['classes']
        self.cat_ids = match_classes(classes, coco['categories'], self.ann_file)
        self.cat2label = {cat_id: label for label, cat_id in enumerate(self.cat_ids)}
        by_image = annotations_by_image(coco)
        self._fill_category_index(coco, by_image)
        return [
            self.parse_data_info(
                dict(raw_img_info=image, raw_ann_info=by_image[image['id']])
            )
            for image in coco['images']
        ]

    def _fill_category_index(
        self, coco: Mapping[str, Any], by_image: Mapping[Any, list[dict]]
    ) -> None:
        # Once per image and class, not once per object as in pycocotools: the number of
        # objects is more than a tag tells.
        self.cat_img_map: dict[int, list] = {cat_id: [] for cat_id in self.cat_ids}
        for image in coco['images']:
            if image_supervision(image, self.supervision) is Supervision.IMAGE_TAGS:
                present = set(image['tags'])
            else:
                present = {ann['category_id'] for ann in by_image[image['id']]}
            for category_id in sorted(present & self.cat2label.keys()):
                self.cat_img_map[category_id].append(image['id'])

    def parse_data_info(self, raw_data_info: dict) -> dict[str, Any]:
        """Turn one image and its annotations into MMDetection's form.

        Args:
            raw_data_info: ``raw_img_info`` and ``raw_ann_info`` as in the file, already
                behind the leak guard.

        Returns:
            The data of one image.
        """
        image = raw_data_info['raw_img_info']
        file_name = image_file_name(image)
        level = image_supervision(image, self.supervision)
        seg_map_path = None
        if self.data_prefix.get('seg') and level is Supervision.MASKS:
            stem = osp.splitext(file_name)[0]
            seg_map_path = osp.join(self.data_prefix['seg'], stem + self.seg_map_suffix)
        data_info = dict(
            img_path=osp.join(self.data_prefix['img'], file_name),
            img_id=image['id'],
            seg_map_path=seg_map_path,
            height=image['height'],
            width=image['width'],
            tags=sorted(
                self.cat2label[tag] for tag in image['tags'] if tag in self.cat2label
            ),
            num_classes=len(self.cat_ids),
            supervision=level.label,
        )
        if image.get('crop_tags') is not None:
            data_info['crop_tags'] = self._parse_crop_tags(image)
        if self.return_classes:
            data_info['text'] = self._metainfo['classes']
            data_info['caption_prompt'] = self.caption_prompt
            data_info['custom_entities'] = True
        instances = (
            self._parse_instance(annotation, image, level)
            for annotation in raw_data_info['raw_ann_info']
        )
        data_info['instances'] = [one for one in instances if one is not None]
        return data_info

    def _parse_crop_tags(self, image: dict) -> dict[str, Any]:
        size, tags = CropTags.parse(
            image['crop_tags'], (image['height'], image['width'])
        )
        labels = [
            sorted(self.cat2label[tag] for tag in own if tag in self.cat2label)
            for own in tags
        ]
        return dict(size=size, tags=labels)

    def _parse_instance(
        self, annotation: dict, image: dict, level: Supervision
    ) -> dict[str, Any] | None:
        label = self.cat2label.get(annotation['category_id'])
        if label is None or annotation.get('ignore'):
            return None
        instance = dict(
            ignore_flag=int(bool(annotation.get('iscrowd'))),
            bbox_label=label,
            ann_id=annotation['id'],
        )
        if level >= Supervision.BOXES:
            x, y, width, height = annotation['bbox']
            inner_width = min(x + width, image['width']) - max(x, 0)
            inner_height = min(y + height, image['height']) - max(y, 0)
            # Boxes that no model can be trained on.
            is_empty = min(inner_width, inner_height) <= 0
            is_empty |= annotation.get('area', width * height) <= 0
            if self.min_box_side and (
                is_empty or min(width, height) < self.min_box_side
            ):
                return None
            instance['bbox'] = [x, y, x + width, y + height]
        for key in ('point', 'extreme_points'):
            if annotation.get(key) is not None:
                instance[key] = annotation[key]
        if level is Supervision.MASKS and annotation.get('segmentation'):
            instance['mask'] = annotation['segmentation']
            if annotation.get('weak_bbox') is not None:
                x, y, width, height = annotation['weak_bbox']
                instance['weak_bbox'] = [x, y, x + width, y + height]
        elif annotation.get('score') is not None:
            instance['score'] = annotation['score']
        return instance

    def filter_data(self) -> list[dict[str, Any]]:
        """Drop images by ``filter_cfg``; uses image sizes and classes only.

        Returns:
            The images that are left; all of them in test mode.

        Raises:
            ValueError: None is left.
        """
        kept = self._without_held_out(self._filtered())
        if not kept:
            raise ValueError(
                f'{self.ann_file}: no image is left. It has {len(self.data_list)}; '
                f'filter_cfg is {self.filter_cfg}, the classes are '
                f'{name_list(self._metainfo["classes"])}.'
            )
        return kept

    def _without_held_out(self, images: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if not self.held_out:
            return images
        count = min(max(1, round(self.held_out * len(images))), len(images) - 1)
        order = np.random.default_rng(0).permutation(len(images))
        apart = set(order[:count].tolist())
        return [
            image
            for place, image in enumerate(images)
            if (place in apart) == self.only_held_out
        ]

    def _filtered(self) -> list[dict[str, Any]]:
        if self.test_mode or self.filter_cfg is None:
            return self.data_list
        min_size = self.filter_cfg.get('min_size', 0)
        kept = [
            info
            for info in self.data_list
            if min(info['width'], info['height']) >= min_size
        ]
        if not self.filter_cfg.get('filter_empty_gt', False):
            return kept
        non_empty = set().union(*self.cat_img_map.values())
        return [info for info in kept if info['img_id'] in non_empty]

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Data of one image, points as arrays.

        Args:
            idx: Index in the dataset.

        Returns:
            A copy that a pipeline may change.

        Raises:
            ValueError: A mask that MMDetection could not decode.
        """
        data_info = super().get_data_info(idx)
        # Here and not in every image's stored data.
        data_info['classes'] = self._metainfo['classes']
        data_info['stuff_classes'] = self._metainfo.get('stuff_classes') or ()
        data_info['category_ids'] = self.cat_ids
        size = data_info['height'], data_info['width']
        for instance in data_info['instances']:
            if 'mask' in instance:
                # Here and not when the file is read, which this would double.
                where = (
                    f'{self.ann_file}: annotation id {instance["ann_id"]!r} of image '
                    f'id {data_info["img_id"]!r}'
                )
                check_segmentation(instance['mask'], size, where)
            for key in ('point', 'extreme_points'):
                if key in instance:
                    instance[key] = np.asarray(instance[key], dtype=np.float64)
        return data_info

    def get_cat_ids(self, idx: int) -> list[int]:
        """Labels in one image, for ``ClassBalancedDataset``.

        Args:
            idx: Index in the dataset.

        Returns:
            One label per instance; at 'image_tags' one per class present.
        """
        data_info = self.get_data_info(idx)
        if data_info['supervision'] == Supervision.IMAGE_TAGS.label:
            return data_info['tags']
        return [instance['bbox_label'] for instance in data_info['instances']]
