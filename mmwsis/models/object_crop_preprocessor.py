"""Batches object crops and normalises their colours."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from mmwsis.ops.tensor_checks import as_number
from mmwsis.registry import MODELS

# Grey levels; smaller deviations are rounding of equal numbers.
NO_CONTRAST = 1e-3


def stretch_contrast(crops: Tensor, min_contrast: float, level: Tensor) -> Tensor:
    """Centre crops of low contrast and stretch them to a standard deviation.

    Args:
        crops: ``(B, C, H, W)`` colours.
        min_contrast: Standard deviation over pixels and channels, about the mean of
            each channel, that a crop must have to stay as it is; in the units of
            ``crops``.
        level: ``(C, 1, 1)`` mean of every channel that stretched crops get.

    Returns:
        ``(B, C, H, W)``. Low crops have this mean and standard deviation, whatever
        their brightness was; a constant crop is ``level``.

    Example:
        >>> crops = torch.tensor([[[[1.0, 5.0]]], [[[1.0, 9.0]]]])
        >>> stretch_contrast(crops, 4.0, torch.tensor(100.0)).flatten(1)
        tensor([[ 96., 104.],
                [  1.,   9.]])
    """
    centred = crops - crops.mean((2, 3), keepdim=True)
    contrast = centred.square().mean((1, 2, 3), keepdim=True).sqrt()  # (B, 1, 1, 1)
    stretched = level + centred * (min_contrast / contrast.clamp(min=NO_CONTRAST))
    return torch.where(contrast < min_contrast, stretched, crops)


@MODELS.register_module()
class ObjectCropPreprocessor(BaseDataPreprocessor):
    """Stack uint8 crops of equal size into normalised float batches.

    All views of a sample, ``inputs['student']``, ``inputs['teacher']`` or
    ``inputs['image']``, are treated alike and keep their names.

    Objects of dark images, such as of fluorescence microscopes, may differ from their
    surroundings by a few grey levels. The networks and the colour kernel of the CRF
    loss then see a constant crop. With ``min_contrast`` (ours, not in MAL or EXITS)
    such crops are centred and stretched, all others left as they are.

    Args:
        mean: Mean of the red, green and blue channel, 0 to 255. Defaults to ImageNet's.
        std: Standard deviation of the channels, 0 to 255. Defaults to ImageNet's.
        min_contrast: Standard deviation in grey levels, 0 to 255, over the pixels and
            channels of a crop. A crop that has less is stretched to it, and its
            channels get the mean ``mean``; crops of photographs have about 30 to 80.
            Defaults to None: every crop stays as it is.
        non_blocking: Copy to the device without waiting. Defaults to False.

    Raises:
        ValueError: Not three channels, a standard deviation of 0, or ``min_contrast``
            not above 0.

    Example:
        >>> import torch
        >>> preprocessor = ObjectCropPreprocessor(mean=(100, 0, 0), std=(50, 1, 1))
        >>> crop = torch.full((3, 4, 4), 200, dtype=torch.uint8)
        >>> batch = preprocessor(dict(inputs=dict(image=[crop, crop])))
        >>> batch['inputs']['image'].shape, batch['inputs']['image'][0, :, 0, 0]
        (torch.Size([2, 3, 4, 4]), tensor([  2., 200., 200.]))
    """

    def __init__(
        self,
        mean: Sequence[float] = (123.675, 116.28, 103.53),
        std: Sequence[float] = (58.395, 57.12, 57.375),
        non_blocking: bool = False,
        min_contrast: float | None = None,
    ) -> None:
        super().__init__(non_blocking)
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise ValueError(
                'mean and std must have three entries (RGB, 0 to 255), std > 0; '
                f'got mean={mean} and std={std}.'
            )
        self.register_buffer('mean', torch.tensor(mean).view(3, 1, 1), False)
        self.register_buffer('std', torch.tensor(std).view(3, 1, 1), False)
        if min_contrast is not None:
            min_contrast = as_number('min_contrast', min_contrast, '(0, inf)')
        self.min_contrast = min_contrast

    def forward(self, data: dict, training: bool = False) -> dict:
        """Prepare one batch.

        Args:
            data: ``inputs``: dict of lists (or a batch) of uint8 ``(3, S, S)`` RGB
                tensors; ``data_samples``: list or None.
            training: Unused; both modes are treated alike. Defaults to False.

        Returns:
            The same with ``inputs`` as float32 tensors ``(B, 3, S, S)``.

        Raises:
            ValueError: Crops of one batch differ in size.
        """
        data = self.cast_data(data)
        inputs = {
            view: self._normalise(self._stack(crops, view).float())
            for view, crops in data['inputs'].items()
        }
        return dict(inputs=inputs, data_samples=data.get('data_samples'))

    def _normalise(self, crops: Tensor) -> Tensor:
        if self.min_contrast is not None:
            crops = stretch_contrast(crops, self.min_contrast, self.mean)
        return (crops - self.mean) / self.std

    @staticmethod
    def _stack(crops: Tensor | Sequence[Tensor], view: str) -> Tensor:
        if isinstance(crops, Tensor):
            return crops
        shapes = sorted({tuple(crop.shape) for crop in crops})
        if len(shapes) != 1 or len(shapes[0]) != 3 or shapes[0][0] != 3:
            raise ValueError(
                f'all crops of inputs[{view!r}] must have the same shape (3, S, S); '
                f'got {shapes}. Set one crop_size for the whole dataset.'
            )
        return torch.stack(list(crops))
