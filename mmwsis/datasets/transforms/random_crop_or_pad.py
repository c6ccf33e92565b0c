"""A window of fixed size at a random place of an image, or the reverse."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmwsis.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomCropOrPad(BaseTransform):
    """Make images of one size: cut off what is too long, fill up what is too short.

    Height and width are treated independently. Where the image is longer than the
    window, the window lies at a uniformly random place of it; where it is shorter, the
    image lies at a uniformly random place of the window (IRNet, released code; other
    libraries pad at the right and bottom). ``gt_seg_map``, where there is one, is cut
    and placed alike. Random numbers come from NumPy's global state.

    The default fills with ImageNet's mean colour, which is 0 after normalisation; as
    it is no integer, padded images become float32.

    Args:
        crop_size: Side of the window in pixels, or ``(height, width)``.
        pad_value: Colour (RGB, 0 to 255) around the image.
        seg_pad_value: Label around the label map.

    Raises:
        ValueError: A side is not positive.
    """

    def __init__(
        self,
        crop_size: int | Sequence[int] = 512,
        pad_value: Sequence[float] = (123.675, 116.28, 103.53),
        seg_pad_value: int = 255,
    ) -> None:
        sides = (
            (crop_size, crop_size) if isinstance(crop_size, int) else tuple(crop_size)
        )
        if len(sides) != 2 or min(sides) < 1:
            raise ValueError(
                f'crop_size must be a side in pixels or (height, width); got '
                f'{crop_size!r}.'
            )
        self.crop_size = sides
        self.pad_value = tuple(pad_value)
        self.seg_pad_value = seg_pad_value

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Cut and fill ``results['img']`` and ``gt_seg_map``.

        Args:
            results: Data of an image with ``img``.

        Returns:
            ``results``.

        Raises:
            ValueError: The label map has another size than the image.
        """
        image = results['img']
        (rows, to_rows), (columns, to_columns) = map(
            _place, image.shape, self.crop_size
        )
        source, target = (rows, columns), (to_rows, to_columns)
        if 'gt_seg_map' in results:
            labels = results['gt_seg_map']
            if labels.shape != image.shape[:2]:
                raise ValueError(
                    f'the label map has (height, width) {labels.shape}, the image '
                    f'{image.shape[:2]} (image id {results.get("img_id")!r}).'
                )
            canvas = np.full(self.crop_size, self.seg_pad_value, labels.dtype)
            canvas[target] = labels[source]
            results['gt_seg_map'] = canvas
        results['img'] = self._paste(image[source], target)
        results['img_shape'] = self.crop_size
        return results

    def _paste(self, part: np.ndarray, target: tuple[slice, slice]) -> np.ndarray:
        if part.shape[:2] == self.crop_size:
            return np.require(part, requirements=['C', 'W'])
        whole = all(float(value).is_integer() for value in self.pad_value)
        canvas = np.empty((*self.crop_size, 3), part.dtype if whole else np.float32)
        canvas[:] = self.pad_value
        canvas[target] = part
        return canvas

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(crop_size={self.crop_size}, '
            f'pad_value={self.pad_value}, seg_pad_value={self.seg_pad_value})'
        )


def _place(length: int, window: int) -> tuple[slice, slice]:
    """Where the image is read and where it is written, along one axis."""
    start = np.random.randint(abs(length - window) + 1)
    here, there = (
        slice(0, min(length, window)),
        slice(start, start + min(length, window)),
    )
    return (there, here) if length > window else (here, there)
