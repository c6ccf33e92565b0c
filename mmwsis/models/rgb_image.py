"""The image that a network was given, in the colours that it was stored with."""

import torch
from mmengine.model import ImgDataPreprocessor
from torch import Tensor
from torch.nn import functional as F


def rgb_image(
    inputs: Tensor,
    preprocessor: ImgDataPreprocessor,
    size: tuple[int, int] | None = None,
) -> Tensor:
    """Undo the normalisation of an image, for what compares its colours.

    Args:
        inputs: ``(3, h, w)``, as the preprocessor gives it, without padding.
        preprocessor: With the mean and standard deviation of the inputs. Colours are in
            the order that it gives the network.
        size: ``(H, W)`` to resize the image to, bilinearly. Defaults to None: as it is.

    Returns:
        uint8 ``(3, H, W)``.

    Example:
        >>> preprocessor = ImgDataPreprocessor(mean=[100, 110, 120], std=[50, 50, 50])
        >>> rgb_image(torch.ones(3, 1, 1), preprocessor).flatten()
        tensor([150, 160, 170], dtype=torch.uint8)
    """
    image = inputs.detach().float()
    if preprocessor._enable_normalize:
        image = image * preprocessor.std + preprocessor.mean
    if size is not None and tuple(size) != image.shape[1:]:
        image = F.interpolate(
            image[None], tuple(size), mode='bilinear', align_corners=False
        )[0]
    return image.round().clamp(0, 255).to(torch.uint8)
