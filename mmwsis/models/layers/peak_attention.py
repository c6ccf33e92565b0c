"""Peak attention as an activation layer."""

from torch import Tensor, nn

from mmwsis.ops import peak_attention
from mmwsis.ops.tensor_checks import as_number
from mmwsis.registry import MODELS


@MODELS.register_module()
class PeakAttention(nn.Module):
    """Keeps the peaks of every channel, in place of a ReLU.

    :func:`mmwsis.ops.peak_attention` (`BESTIE <https://arxiv.org/abs/2109.09477>`_,
    section 3.3), for the ``act_cfg`` of MMCV's ``ConvModule`` and of whatever is built
    from it. It has no parameters, so weights trained with a ReLU fit.

    Args:
        alpha: Share of a channel's maximum that is reached by what is kept, 0 to 1; 0
            is the ReLU. Defaults to 0.7.
        inplace: Nothing; ``ConvModule`` gives it to every activation. Defaults to
            False.

    Raises:
        ValueError: ``alpha`` out of range.

    Example:
        >>> import torch
        >>> from mmcv.cnn import ConvModule
        >>> layer = ConvModule(
        ...     3, 8, 3, act_cfg=dict(type='mmwsis.PeakAttention', alpha=1.0))
        >>> maxima = layer(torch.rand(2, 3, 9, 9)) > 0
        >>> maxima.sum((2, 3)).max().item()
        1
    """

    def __init__(self, alpha: float = 0.7, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = as_number('alpha', alpha, '[0, 1]')

    def forward(self, features: Tensor) -> Tensor:
        """Activate.

        Args:
            features: ``(B, K, h, w)``.

        Returns:
            ``(B, K, h, w)``.
        """
        return peak_attention(features, self.alpha)

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        return f'alpha={self.alpha}'
