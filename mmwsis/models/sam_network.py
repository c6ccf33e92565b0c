"""Segment Anything: images and prompts in, masks of the original images out.

What ``transformers`` does in its processors of images, prompts and masks, without
torchvision, which the one of SAM 2 needs.
"""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from .sam_weights import load_sam

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


class EncodedImage(NamedTuple):
    """An image as the mask decoder sees it.

    Attributes:
        features: Of the image encoder, for one image.
        size: ``(H, W)`` of the original image in pixels.
        scaled: ``(h, w)`` of the image in the encoder's square input.
    """

    features: Any
    size: tuple[int, int]
    scaled: tuple[int, int]


class SAMNetwork(nn.Module):
    """A SAM or SAM 2 of ``transformers`` behind one interface.

    `Segment Anything <https://arxiv.org/abs/2304.02643>`__ (Kirillov et al., ICCV 2023)
    resizes the longer side of an image to that of the encoder's square, 1024 pixels,
    and pads the rest; `SAM 2 <https://arxiv.org/abs/2408.00714>`__ (Ravi et al., 2024)
    resizes both sides.

    Args:
        weights: See :func:`mmwsis.models.sam_weights.find_sam`.
        revision: See there. Defaults to None.

    Attributes:
        model: The model of ``transformers``.
        image_size: Side of the encoder's input in pixels.

    Raises:
        FileNotFoundError: There are no such weights.
        ModuleNotFoundError: ``transformers`` is not installed.
        ValueError: They are of another model, or some are missing.
    """

    def __init__(self, weights: str | os.PathLike, revision: str | None = None) -> None:
        super().__init__()
        self.model = load_sam(weights, revision)
        self.pads = self.model.config.model_type == 'sam'
        self.image_size = self.model.prompt_encoder.input_image_size

    def encode(self, images: Sequence[Tensor]) -> list[EncodedImage]:
        """Run the image encoder once over a batch.

        Args:
            images: uint8 ``(3, H, W)`` each, RGB, of any sizes, on the model's device.

        Returns:
            One for each image.
        """
        side = self.image_size
        resize = padded_input if self.pads else squeezed_input
        inputs = torch.stack([resize(image, side) for image in images])
        features = self.model.get_image_embeddings(inputs)
        encoded = []
        for index, image in enumerate(images):
            size, own = tuple(image.shape[1:]), slice(index, index + 1)
            if self.pads:
                parts, scaled = features[own], scaled_size(size, side)
            else:  # SAM 2 has features of several levels
                parts, scaled = [level[own] for level in features], (side, side)
            encoded.append(EncodedImage(parts, size, scaled))
        return encoded

    def decode(
        self,
        image: EncodedImage,
        points: Tensor,
        boxes: Tensor | None = None,
        multimask: bool = True,
    ) -> tuple[Tensor, Tensor]:
        """Masks for prompts, at the size of the decoder.

        Args:
            image: Of :meth:`encode`.
            points: ``(N, P, 2)``, x and y of points on the object in pixels of the
                original image, whose centres have integer coordinates. P may be 0
                beside boxes.
            boxes: ``(N, 4)``, x0, y0, x1, y1 in the same pixels. Defaults to None.
            multimask: Three masks for each prompt, for the whole, a part and a smaller
                part; or the one for prompts that leave no doubt. Defaults to True.

        Returns:
            Logits ``(N, 3, h, w)`` or ``(N, 1, h, w)``, and the IoUs that the network
            predicts for them, ``(N, 3)`` or ``(N, 1)``; float32.
        """
        (height, width), (new_height, new_width) = image.size, image.scaled
        scale = points.new_tensor([new_width / width, new_height / height])
        found = self.model(
            image_embeddings=image.features,
            input_points=(points * scale)[None] if points.shape[1] else None,
            input_boxes=None if boxes is None else (boxes * scale.repeat(2))[None],
            multimask_output=multimask,
        )
        return found.pred_masks[0].float(), found.iou_scores[0].float()

    def masks(self, logits: Tensor, image: EncodedImage) -> Tensor:
        """Masks of the original image.

        Args:
            logits: ``(N, h, w)``, of :meth:`decode`.
            image: The image they are of.

        Returns:
            bool ``(N, H, W)``: where the enlarged logits are above 0.
        """
        logits = logits[:, None]
        if self.pads:
            logits = _resize(logits, (self.image_size, self.image_size))
            height, width = image.scaled
            logits = logits[..., :height, :width]
        return _resize(logits, image.size)[:, 0] > 0


def scaled_size(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Size of an image whose longer side is resized, as SAM rounds it.

    Args:
        size: ``(H, W)`` in pixels.
        side: Of the longer side afterwards.

    Example:
        >>> scaled_size((480, 640), 1024), scaled_size((1, 2000), 1024)
        ((768, 1024), (1, 1024))
    """
    scale = side / max(size)
    # An image of 1 x 5000 pixels would lose its only row.
    height, width = (max(1, int(length * scale + 0.5)) for length in size)
    return height, width


def padded_input(image: Tensor, side: int) -> Tensor:
    """Input of SAM: bilinear by Pillow, zeros on the right and below.

    Args:
        image: uint8 ``(3, H, W)``, RGB.
        side: Of the square, in pixels.

    Returns:
        float32 ``(3, side, side)`` on the image's device.
    """
    height, width = scaled_size(tuple(image.shape[1:]), side)
    pixels = Image.fromarray(image.permute(1, 2, 0).contiguous().cpu().numpy())
    resized = np.array(pixels.resize((width, height), Image.Resampling.BILINEAR))
    values = torch.from_numpy(resized).to(image.device).permute(2, 0, 1)
    return F.pad(_normalize(values), (0, side - width, 0, side - height))


def squeezed_input(image: Tensor, side: int) -> Tensor:
    """Input of SAM 2: both sides resized, bilinear with antialiasing.

    Args:
        image: uint8 ``(3, H, W)``, RGB.
        side: Of the square, in pixels.

    Returns:
        float32 ``(3, side, side)`` on the image's device.
    """
    # In uint8, on the CPU, as torchvision does it, and so transformers' processor.
    resized = F.interpolate(
        image[None].cpu(),
        size=(side, side),
        mode='bilinear',
        align_corners=False,
        antialias=True,
    )[0]
    return _normalize(resized.to(image.device))


def _normalize(values: Tensor) -> Tensor:
    mean, std = (values.new_tensor(one, dtype=torch.float32) for one in (MEAN, STD))
    return (values.float() / 255 - mean[:, None, None]) / std[:, None, None]


def _resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(maps, size=size, mode='bilinear', align_corners=False)
