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

LACKING = (
    'has no crop_tags. Write them with coco2weak.py --crop-tags, or give every crop '
    'the tags of its image: mmwsis.CropTags(image_level=True, crop_size=...).'
)


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
            raise ValueError(f'{where} {LACKING}')
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
class CropTags(BaseTransform):
    """Say which tags the crops of an image have: their own, or those of the image.

    Args:
        image_level: Whether every crop has the tags of the whole image, the weaker
            supervision that the paper describes. Defaults to False.
        crop_size: ``(height, width)`` of a crop in pixels of the original image, or
            the side of a square, with ``image_level``. Defaults to None: that of the
            label file.

    Raises:
        ValueError: A side is not positive.
    """

    def __init__(
        self, image_level: bool = False, crop_size: int | Sequence[int] | None = None
    ) -> None:
        self.image_level = image_level
        self.crop_size = crop_size and two_sides('crop_size', crop_size)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Check or replace ``crop_tags``.

        Args:
            results: Data of an image with ``tags``, ``height``, ``width`` and, where
                the label file has them, ``crop_tags``.

        Returns:
            ``results``.

        Raises:
            ValueError: The image has no tags of crops, or is smaller than a crop; the
                message names it.
        """
        where, given = f'image id {results.get("img_id")!r}', results.get('crop_tags')
        if given is None and not (self.image_level and self.crop_size):
            raise ValueError(f'{where} {LACKING}')
        if self.image_level:
            size = self.crop_size or given['size']
            try:
                boxes = crop_grid((results['height'], results['width']), size)
            except ValueError as error:
                raise ValueError(f'{where}: {error}') from None
            tags = [list(results['tags']) for _ in boxes]
            results['crop_tags'] = dict(size=size, tags=tags)
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(image_level={self.image_level}, '
            f'crop_size={self.crop_size})'
        )
