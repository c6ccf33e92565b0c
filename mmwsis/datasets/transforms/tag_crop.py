"""Crops of an image that have tags of their own."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmwsis.ops.crop_grid import crop_grid
from mmwsis.registry import TRANSFORMS

from .geometric import GeometricTransform
from .geometry import Geometry
from .rescaling import two_sides


@TRANSFORMS.register_module()
class TagCrop(GeometricTransform):
    """Take one of the crops that the label file has tags of, at random.

    The samples of the multi-label classifier of `Weakly- and Semi-Supervised Panoptic
    Segmentation <https://arxiv.org/abs/1808.03575>`__ (Li et al.; the crops are those
    of its released code): ``tags`` are the crop's, and ``crop_tags`` are taken out. The
    image must still have its original size.

    Args:
        **kwargs: Arguments of :class:`GeometricTransform`.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw a crop, and cut all fields.

        Args:
            results: Data of an image with ``img`` and ``crop_tags``, as
                :class:`mmwsis.datasets.CocoWeakDataset` gives them.

        Returns:
            ``results``.

        Raises:
            ValueError: The image has no tags of crops, or was resized.
        """
        where, size = f'image id {results.get("img_id")!r}', results['img'].shape[:2]
        if results.get('crop_tags') is None:
            raise ValueError(
                f'{where} has no crop_tags. Write them with coco2weak.py --crop-tags, '
                'or put mmwsis.ImageTagsPerCrop before TagCrop.'
            )
        if size != (results['height'], results['width']):
            raise ValueError(
                f'{where}: TagCrop must come before what resizes; the image has (height'
                f', width) {size}, originally {(results["height"], results["width"])}.'
            )
        window, tags = results.pop('crop_tags').values()
        boxes = crop_grid(size, window)
        index = np.random.randint(len(boxes))
        left, top = boxes[index, :2].tolist()
        results['tags'] = tags[index]
        return self.transform_with(results, top=top, left=left, window=window)

    def geometry(
        self, size: tuple[int, int], top: int, left: int, window: tuple[int, int]
    ) -> Geometry:
        """Take the window whose first row and column are ``top`` and ``left``."""
        return Geometry(size, corner=(top, left), window=tuple(window))


@TRANSFORMS.register_module()
class ImageTagsPerCrop(BaseTransform):
    """Give every crop of an image the tags of the whole image.

    Supervision by tags of whole images, as the paper describes it, in place of tags of
    crops: ``crop_tags``, which the sample may have, are replaced.

    Args:
        crop_size: ``(height, width)`` of a crop in pixels of the original image, or
            the side of a square.

    Raises:
        ValueError: A side is not positive.
    """

    def __init__(self, crop_size: int | Sequence[int]) -> None:
        self.crop_size = two_sides('crop_size', crop_size)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Set ``crop_tags``.

        Args:
            results: Data of an image with ``tags``, ``height`` and ``width``.

        Returns:
            ``results``.

        Raises:
            ValueError: The image is smaller than a crop; the message names it.
        """
        try:
            boxes = crop_grid((results['height'], results['width']), self.crop_size)
        except ValueError as error:
            raise ValueError(f'image id {results.get("img_id")!r}: {error}') from None
        results['crop_tags'] = dict(
            size=self.crop_size, tags=[list(results['tags']) for _ in boxes]
        )
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(crop_size={self.crop_size})'
