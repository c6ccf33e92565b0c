"""Batches object crops and normalises their colours."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from mmwsis.registry import MODELS


@MODELS.register_module()
class ObjectCropPreprocessor(BaseDataPreprocessor):
    """Stack uint8 crops of equal size into normalised float batches.

    All views of a sample, ``inputs['student']``, ``inputs['teacher']`` or
    ``inputs['image']``, are treated alike and keep their names.

    Args:
        mean: Mean of the red, green and blue channel, 0 to 255. Defaults to ImageNet's.
        std: Standard deviation of the channels, 0 to 255. Defaults to ImageNet's.
        non_blocking: Copy to the device without waiting. Defaults to False.

    Raises:
        ValueError: Not three channels, or a standard deviation of 0.

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
    ) -> None:
        super().__init__(non_blocking)
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise ValueError(
                'mean and std must have three entries (RGB, 0 to 255), std > 0; '
                f'got mean={mean} and std={std}.'
            )
        self.register_buffer('mean', torch.tensor(mean).view(3, 1, 1), False)
        self.register_buffer('std', torch.tensor(std).view(3, 1, 1), False)

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
            view: (self._stack(crops, view).float() - self.mean) / self.std
            for view, crops in data['inputs'].items()
        }
        return dict(inputs=inputs, data_samples=data.get('data_samples'))

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
