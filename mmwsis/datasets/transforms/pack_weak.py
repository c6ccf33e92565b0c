"""Packing a whole image with its weak labels."""

from typing import Any, ClassVar

import numpy as np
import torch
from mmdet.datasets.transforms import PackDetInputs
from mmdet.structures import DetDataSample
from mmengine.structures import BaseDataElement, InstanceData, PixelData

from mmwsis.registry import TRANSFORMS
from mmwsis.structures.tags import tags_to_vector

META_KEYS = (
    'img_id',
    'img_path',
    'ori_shape',
    'img_shape',
    'scale_factor',
    'flip',
    'flip_direction',
    'tags',
    'crop_tags',
    'supervision',
    'num_dropped',
)


@TRANSFORMS.register_module()
class PackWeakInputs(PackDetInputs):
    """``mmdet.PackDetInputs`` that also packs tags, points, maps and proposals.

    ``data_samples.gt_tags`` is a float32 tensor (C,), 1 for every class that is present
    in the image, in the order of ``metainfo['classes']``: things and stuff alike, as
    the config names them. It is the target of a multi-label classifier. The labels
    themselves are the metainfo ``tags``. Tags are those of the whole image; a crop may
    show less, and :class:`TagCrop` gives it its own. ``crop_tags``, where the label
    file has them, are metainfo, too, and of the original image.

    ``data_samples.gt_instances`` gets beside MMDetection's ``labels``, ``bboxes`` and
    ``masks`` what :class:`LoadWeakAnnotations` loaded: ``points`` float32 (N, 2), x and
    y in pixels of ``inputs``, ``scores`` float32 (N,) and ``ann_ids`` (int64 tensor, or
    an array where some are texts). Ignored rows (crowds) go to ``ignored_instances``.
    The metainfo ``num_dropped`` counts the objects that loading and transforms left
    out.

    An instance map ``gt_instance_map`` (0 no instance, -1 ignore, n an id) becomes
    ``data_samples.gt_panoptic_seg.instance_map`` (1, H, W), the map of a fully labelled
    image (:class:`LoadFullLabels`) its ``sem_seg``, a box label map
    (:class:`LoadBoxLabelMap`) ``data_samples.gt_box_map.box_map`` (1, H, W), proposals
    (``mask_proposals``) the attribute of this name.

    Detections (:class:`LoadDetections`) become ``data_samples.detections``, an
    ``InstanceData`` of ``bboxes``, ``labels`` and ``scores``.

    Targets of a centre and offset network (:class:`GenerateCenterTargets`) become
    ``data_samples.gt_center_targets``: ``centers``, ``offsets`` and ``weights``.

    Pixels to compare (:class:`GeneratePixelGroups`) become
    ``data_samples.gt_pixel_groups``: tensors ``anchors``, ``pixels``, ``same`` and
    ``chosen``, those of :class:`mmwsis.ops.PixelGroups`.

    Class maps (:class:`LoadClassMaps`) become ``data_samples.class_maps``, an
    ``InstanceData`` of tensors with one entry per class.

    Copies of the image at several sizes (:class:`ImageScales`) take the place of the
    image.

    Samples are those of :class:`mmwsis.datasets.CocoWeakDataset`, at any level of
    supervision.

    Args:
        meta_keys: Keys that become meta information where they are present.
        with_tags: Whether to pack tags, which other images than those of the dataset
            lack: a pipeline without them serves ``DetInferencer``, too. Defaults to
            True.
    """

    mapping_table: ClassVar[dict[str, str]] = {
        **PackDetInputs.mapping_table,
        'gt_points': 'points',
        'gt_point_scores': 'scores',
    }

    def __init__(
        self, meta_keys: tuple[str, ...] = META_KEYS, with_tags: bool = True
    ) -> None:
        super().__init__(meta_keys)
        self.with_tags = with_tags

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack one sample.

        Args:
            results: Data of an image with ``img``, and unless ``with_tags`` is off
                ``tags`` and ``num_classes``.

        Returns:
            ``dict(inputs=tensor (3, H, W), data_samples=DetDataSample)``; ``inputs``
            is a list with one tensor a scale after :class:`ImageScales`.

        Raises:
            KeyError: The dataset gives no tags.
            ValueError: A transform of MMDetection has left the detections behind.
        """
        needed = ('tags', 'num_classes') if self.with_tags else ()
        missing = [key for key in needed if key not in results]
        if missing:
            raise KeyError(
                f'PackWeakInputs needs {" and ".join(missing)} of the sample; use it '
                'with mmwsis.CocoWeakDataset.'
            )
        if 'gt_points' in results:
            points = results['gt_points'].astype(np.float32)
            results = {**results, 'gt_points': points}
        if 'scaled_imgs' in results:
            packed = super().transform({k: results[k] for k in results if k != 'img'})
            packed['inputs'] = [
                torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
                for image in results['scaled_imgs']
            ]
        else:
            # A cached image is read-only, of which torch warns.
            image = np.require(results['img'], requirements='W')
            packed = super().transform({**results, 'img': image})
        if 'class_maps' in results:
            maps = {k: torch.from_numpy(v) for k, v in results['class_maps'].items()}
            packed['data_samples'].class_maps = InstanceData(**maps)
        _pack_ids(results, packed['data_samples'])
        _pack_maps(results, packed['data_samples'])
        if 'mask_proposals' in results:
            packed['data_samples'].mask_proposals = results['mask_proposals']
        if 'detections' in results:
            packed['data_samples'].detections = _detections(results)
        if 'gt_center_targets' in results:
            targets = PixelData(**results['gt_center_targets']._asdict())
            packed['data_samples'].gt_center_targets = targets
        if 'gt_pixel_groups' in results:
            groups = results['gt_pixel_groups']._asdict()
            packed['data_samples'].gt_pixel_groups = BaseDataElement(
                **{name: torch.from_numpy(value) for name, value in groups.items()}
            )
        if self.with_tags:
            vector = tags_to_vector(results['tags'], results['num_classes'])
            packed['data_samples'].gt_tags = torch.from_numpy(vector)
        return packed


def _detections(results: dict[str, Any]) -> InstanceData:
    """Tensors of detections that have followed the image."""
    fields = dict(results['detections'])
    found = fields.pop('size'), fields.pop('flip')
    expected = tuple(results['img'].shape[:2]), bool(results.get('flip'))
    if found != expected:
        raise ValueError(
            f'image id {results.get("img_id")!r}: the detections are of an image of '
            f'{found[0]}, flip={found[1]}, it is {expected[0]}, flip={expected[1]} '
            '(height, width). Behind LoadDetections use the transforms of mmwsis that '
            'resize, cut or mirror; those of MMDetection leave them behind.'
        )
    return InstanceData(**{k: torch.from_numpy(v) for k, v in fields.items()})


def _pack_maps(results: dict[str, Any], sample: DetDataSample) -> None:
    """Pack what says something of every pixel, beside MMDetection's semantic map."""
    for key, field, name in (
        ('gt_instance_map', 'gt_panoptic_seg', 'instance_map'),
        ('gt_panoptic_map', 'gt_panoptic_seg', 'sem_seg'),
        ('gt_box_map', 'gt_box_map', 'box_map'),
    ):
        if key in results:
            pixels = sample.get(field, PixelData())
            pixels.set_field(torch.from_numpy(results[key][None].copy()), name)
            sample.set_field(pixels, field, dtype=PixelData)


def _pack_ids(results: dict[str, Any], sample: DetDataSample) -> None:
    """Pack the ids of objects; texts, which no tensor holds, stay an array."""
    if 'gt_ann_ids' not in results:
        return
    ids, ignored = results['gt_ann_ids'], results['gt_ignore_flags'].astype(bool)
    for instances, own in (
        (sample.gt_instances, ids[~ignored]),
        (sample.ignored_instances, ids[ignored]),
    ):
        instances.ann_ids = own if own.dtype == object else torch.from_numpy(own)
