"""Classification of whole images by one map per class."""

from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from mmwsis.ops.tensor_checks import (
    as_integer,
    check_floating,
    check_shape,
    full_precision,
)
from mmwsis.registry import MODELS


@MODELS.register_module()
class ClassMapHead(BaseModule):
    r"""Global average pooling and a linear classifier, by default without a bias.

    The classifier is a 1x1 convolution, so that the same weights :math:`\phi_c`,
    applied to every position :math:`x` of the feature map :math:`f`, give the class
    activation maps of `Zhou et al. <https://arxiv.org/abs/1512.04150>`_, the numerator
    of Eq. 1 of `IRNet <https://arxiv.org/abs/1904.05044>`_; their mean is the logit:

    .. math::
        M_c(x) = \phi_c^\top f(x), \qquad z_c = \tfrac{1}{hw} \sum_x M_c(x)

    The loss is the multi-label soft margin, the binary cross-entropy of tags
    :math:`y_c \in \{0, 1\}`, as in IRNet's released code. It is the mean over samples
    *and* classes, so there is no ``avg_factor``:

    .. math::
        L = -\frac{1}{BC} \sum_{b, c} y_{bc} \log \sigma(z_{bc})
            + (1 - y_{bc}) \log (1 - \sigma(z_{bc}))

    Heads of other classifiers have the same three methods.

    Args:
        num_classes: Number of classes C.
        in_channels: Channels of the last feature map of the backbone. Defaults to 2048.
        bias: Add a number to every class's map. Defaults to False.
        init_cfg: Initialisation; PyTorch's own if None. Defaults to None.

    Raises:
        ValueError: A number of classes or channels that is no integer above 0.

    Example:
        >>> import torch
        >>> head = ClassMapHead(num_classes=3, in_channels=8)
        >>> features = torch.rand(2, 8, 5, 7)
        >>> logits = head(features)
        >>> logits.shape, head.class_maps(features).shape
        (torch.Size([2, 3]), torch.Size([2, 3, 5, 7]))
        >>> head.loss(torch.zeros(2, 3), torch.tensor([[1, 0, 0], [1, 1, 0]]))
        tensor(0.6931)
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 2048,
        bias: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.num_classes = num_classes = as_integer('num_classes', num_classes, 1)
        in_channels = as_integer('in_channels', in_channels, 1)
        self.classifier = nn.Conv2d(in_channels, num_classes, 1, bias=bias)

    def forward(self, features: Tensor) -> Tensor:
        """Classify.

        Args:
            features: ``(B, in_channels, h, w)``.

        Returns:
            Logits ``(B, C)``.

        Raises:
            ValueError: Wrong shape, or a map without positions.
        """
        self._check(features)
        check_positions(features)
        return self.classifier(features.mean((2, 3), keepdim=True)).flatten(1)

    def class_maps(self, features: Tensor) -> Tensor:
        """Response of every class at every position, before any rectification.

        Args:
            features: ``(B, in_channels, h, w)``.

        Returns:
            ``(B, C, h, w)``.

        Raises:
            ValueError: Wrong shape.
        """
        self._check(features)
        return self.classifier(features)

    def loss(self, logits: Tensor, tags: Tensor) -> Tensor:
        """Compare logits with the tags of the images.

        Args:
            logits: ``(B, C)``.
            tags: ``(B, C)``, 1 where the class is present, else 0.

        Returns:
            Scalar, float32 under autocast too; zero with a graph for B = 0.

        Raises:
            ValueError: The tags are of another number of classes.
        """
        check_shape('logits', logits, ('B', 'C'))
        check_shape('gt_tags', tags, tuple(logits.shape), like=logits)
        with full_precision(logits):
            if not len(logits):
                return logits.float().sum()
            return F.multilabel_soft_margin_loss(logits.float(), tags.float())

    def _check(self, features: Tensor) -> None:
        channels = self.classifier.in_channels
        check_shape('features', features, ('B', channels, 'h', 'w'))
        check_floating('features', features)


def check_positions(features: Tensor) -> None:
    """Refuse a map without positions, which has no mean.

    Args:
        features: ``(B, channels, h, w)``.

    Raises:
        ValueError: ``h`` or ``w`` is 0.
    """
    if not min(features.shape[2:]):
        raise ValueError(
            f'features: expected positions, got shape {tuple(features.shape)}.'
        )
