"""Normalises whole images, and copies of them at several sizes."""

from mmengine.model import ImgDataPreprocessor
from mmengine.utils import is_seq_of
from torch import Tensor

from mmwsis.registry import MODELS


@MODELS.register_module()
class WholeImagePreprocessor(ImgDataPreprocessor):
    """MMEngine's ``ImgDataPreprocessor`` that also takes images at several sizes.

    One image per sample (training crops) becomes a batch. Several sizes per sample
    (``mmwsis.ImageScales``) are normalised and stay single images: sizes differ
    between samples, and padding would change what a network sees at the border.

    Args:
        *args: As for ``mmengine.ImgDataPreprocessor``. Images of
            ``mmwsis.LoadCachedImage`` are RGB: leave ``bgr_to_rgb`` off.
        **kwargs: The same.

    Example:
        >>> import torch
        >>> preprocessor = WholeImagePreprocessor(mean=[0] * 3, std=[255] * 3)
        >>> small, large = torch.full((3, 4, 6), 255.0), torch.full((3, 8, 12), 255.0)
        >>> inputs = preprocessor(dict(inputs=[[small], [large]]))['inputs']
        >>> [image.shape for scale in inputs for image in scale]
        [torch.Size([3, 4, 6]), torch.Size([3, 8, 12])]
    """

    def forward(self, data: dict, training: bool = False) -> dict:
        """Prepare one batch.

        Args:
            data: ``inputs``: B tensors ``(3, H, W)``, 0 to 255, or one such list per
                scale; ``data_samples``: B samples or None.
            training: Unused; both modes are treated alike. Defaults to False.

        Returns:
            The same with ``inputs`` normalised: a tensor ``(B, 3, H, W)``, or one list
            of B tensors ``(3, h, w)`` per scale.
        """
        inputs = data['inputs']
        if isinstance(inputs, Tensor) or is_seq_of(inputs, Tensor):
            return super().forward(data, training)
        data = self.cast_data(data)
        data['inputs'] = [
            [self._normalise(image) for image in images] for images in data['inputs']
        ]
        data.setdefault('data_samples', None)
        return data

    def _normalise(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        # Without the padding of pad_size_divisor, if there is one.
        return super().forward(dict(inputs=[image]))['inputs'][0, :, :height, :width]
