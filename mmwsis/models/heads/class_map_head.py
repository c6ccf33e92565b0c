"""Classification of whole images by one map a class."""

from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from mmwsis.ops.tensor_checks import check_shape, full_precision
from mmwsis.registry import MODELS


@MODELS.register_module()
class ClassMapHead(BaseModule):
    """Global average pooling and a linear classifier without a bias.

    The classifier is a 1x1 convolution, so that the same weights applied to every
    position give the class activation maps of Zhou et al., CVPR 2016; their mean is
    the logit (IRNet, section 3.1). The loss is the multi-label soft margin: the mean
    over samples and classes of the binary cross-entropy.

    Heads of other classifiers have the same three methods.

    Args:
        num_classes: Number of classes C.
        in_channels: Channels of the last feature map of the backbone.
        init_cfg: Initialisation; by default that of PyTorch.
    """

    def __init__(
        self, num_classes: int, in_channels: int = 2048, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        self.num_classes = num_classes
        self.classifier = nn.Conv2d(in_channels, num_classes, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Classify.

        Args:
            features: ``(B, in_channels, h, w)``.

        Returns:
            Logits ``(B, C)``.
        """
        return self.classifier(features.mean((2, 3), keepdim=True)).flatten(1)

    def class_maps(self, features: Tensor) -> Tensor:
        """Response of every class at every position, before any rectification.

        Args:
            features: ``(B, in_channels, h, w)``.

        Returns:
            ``(B, C, h, w)``.
        """
        return self.classifier(features)

    def loss(self, logits: Tensor, tags: Tensor) -> Tensor:
        """Compare logits with the tags of the images.

        Args:
            logits: ``(B, C)``.
            tags: ``(B, C)``, 1 where the class is present, else 0.

        Returns:
            Scalar, float32 under autocast too.

        Raises:
            ValueError: The tags are of another number of classes.
        """
        check_shape('gt_tags', tags, tuple(logits.shape))
        with full_precision(logits):
            return F.multilabel_soft_margin_loss(logits.float(), tags.float())
