"""A window of fixed size at a random place of an image, or the reverse."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmwsis.registry import TRANSFORMS

from .geometric import GeometricTransform
from .geometry import Geometry
from .rescaling import two_sides


@TRANSFORMS.register_module()
class RandomCropOrPad(GeometricTransform):
    """Make images of one size: cut off what is too long, fill up what is too short.

    Height and width are treated independently. Where the image is longer than the
    window, the window lies at a uniformly random place of it; where it is shorter, the
    image lies at a uniformly random place of the window (IRNet and BESTIE, released
    code; other libraries pad at the right and bottom). Random numbers come from NumPy's
    global state.

    The default fills with ImageNet's mean colour, which is 0 after normalisation; as
    it is no integer, padded images become float32.

    Args:
        crop_size: Side of the window in pixels, or ``(height, width)``.
        pad_value: Colour (RGB, 0 to 255) around the image.
        seg_pad_value: Label around the semantic map.
        instance_pad_value: Id around the instance map: -1 unknown, 0 no instance.
            Defaults to -1. Masks, proposals and class maps are 0 there.
        **kwargs: Arguments of :class:`GeometricTransform`.

    Raises:
        ValueError: A side is not positive.
    """

    def __init__(
        self,
        crop_size: int | Sequence[int] = 512,
        pad_value: Sequence[float] = (123.675, 116.28, 103.53),
        seg_pad_value: int = 255,
        instance_pad_value: int = -1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.crop_size = two_sides('crop_size', crop_size)
        self.pad_value = tuple(pad_value)
        self.seg_pad_value = seg_pad_value
        self.instance_pad_value = instance_pad_value

    def draw(self, size: tuple[int, int]) -> dict[str, Any]:
        """Draw ``top`` and ``left``, negative where the image is the shorter one."""
        top, left = map(_first, size, self.crop_size)
        return dict(top=top, left=left)

    def geometry(self, size: tuple[int, int], top: int, left: int) -> Geometry:
        """Take the window whose first row and column are ``top`` and ``left``."""
        return Geometry(size, corner=(top, left), window=self.crop_size)


def _first(length: int, window: int) -> int:
    """Where the window begins, along one axis."""
    start = np.random.randint(abs(length - window) + 1)
    return start if length > window else -start
