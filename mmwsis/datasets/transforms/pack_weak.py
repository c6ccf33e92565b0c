"""Packing a whole image with its weak labels."""

from typing import Any

import numpy as np
import torch
from mmdet.datasets.transforms import PackDetInputs
from mmengine.structures import InstanceData

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
    'supervision',
)


@TRANSFORMS.register_module()
class PackWeakInputs(PackDetInputs):
    """``mmdet.PackDetInputs`` that also packs the image's tags.

    ``data_samples.gt_tags`` is a float32 tensor (C,), 1 for every class that is present
    in the image, in the order of ``metainfo['classes']``: things and stuff alike, as
    the config names them. It is the target of a multi-label classifier. The labels
    themselves are the metainfo ``tags``. Tags are those of the whole image; a crop may
    show less.

    Class maps (:class:`LoadClassMaps`) become ``data_samples.class_maps``, an
    ``InstanceData`` of tensors with one entry per class.

    Copies of the image at several sizes (:class:`ImageScales`) take the place of the
    image.

    Samples are those of :class:`mmwsis.datasets.CocoWeakDataset`, at any level of
    supervision.

    Args:
        meta_keys: Keys that become meta information where they are present.
    """

    def __init__(self, meta_keys: tuple[str, ...] = META_KEYS) -> None:
        super().__init__(meta_keys)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack one sample.

        Args:
            results: Data of an image with ``img``, ``tags`` and ``num_classes``.

        Returns:
            ``dict(inputs=tensor (3, H, W), data_samples=DetDataSample)``; ``inputs``
            is a list with one tensor a scale after :class:`ImageScales`.

        Raises:
            KeyError: The dataset gives no tags.
        """
        missing = [key for key in ('tags', 'num_classes') if key not in results]
        if missing:
            raise KeyError(
                f'PackWeakInputs needs {" and ".join(missing)} of the sample; use it '
                'with mmwsis.CocoWeakDataset.'
            )
        if 'scaled_imgs' in results:
            packed = super().transform({k: results[k] for k in results if k != 'img'})
            packed['inputs'] = [
                torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
                for image in results['scaled_imgs']
            ]
        else:
            packed = super().transform(results)
        if 'class_maps' in results:
            maps = {k: torch.from_numpy(v) for k, v in results['class_maps'].items()}
            packed['data_samples'].class_maps = InstanceData(**maps)
        vector = tags_to_vector(results['tags'], results['num_classes'])
        packed['data_samples'].gt_tags = torch.from_numpy(vector)
        return packed
