"""Self-training on masks refined by a local mean-field CRF (MAL, CVPR 2023)."""

import torch
from torch import Tensor, nn

from mmwsis.ops import mean_field_refine
from mmwsis.ops.tensor_checks import check_shape, to_full_precision
from mmwsis.registry import MODELS

from .dice_loss import dice_loss


@MODELS.register_module()
class MeanFieldCRFLoss(nn.Module):
    """Dice loss against the mean-field refinement of student and teacher.

    Args:
        loss_weight: Factor of the loss; MAL and EXITS use 0.5.
        num_iters: Mean-field iterations.
        zeta: Width of the colour kernel, in units of the normalised image.
        low: Lower clamp of the mean-field probability.
        high: Upper clamp of the mean-field probability.
        kernel_size: Odd side of the mean-field window in pixels.
        eps: Added to each squared sum of the Dice loss.
    """

    def __init__(
        self,
        loss_weight: float = 0.5,
        num_iters: int = 100,
        zeta: float = 0.1,
        low: float = 0.1,
        high: float = 0.9,
        kernel_size: int = 3,
        eps: float = 1e-3,
    ) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.eps = eps
        self.mean_field = dict(
            num_iters=num_iters, zeta=zeta, low=low, high=high, kernel_size=kernel_size
        )

    def forward(
        self,
        image: Tensor,
        student_prob: Tensor,
        teacher_prob: Tensor,
        box_target: Tensor,
    ) -> Tensor:
        """Return the weighted loss.

        Args:
            image: (B, C, H, W) normalised *student* view, colour augmentation
                included, resized to the probabilities' size.
            student_prob: (B, H, W) probability in [0, 1]; the gradient goes here only.
            teacher_prob: (B, H, W) probability in [0, 1].
            box_target: (B, H, W) box in [0, 1].

        Returns:
            Scalar ``loss_weight * mean``; zero with a graph for B = 0. A sample whose
            refined mask is empty costs at most 1, with zero gradient where its
            prediction is empty too.

        Raises:
            ValueError: Wrong shapes.
        """
        check_shape('student_prob', student_prob, ('B', 'H', 'W'))
        check_shape('teacher_prob', teacher_prob, tuple(student_prob.shape))
        with torch.no_grad():
            student = to_full_precision(student_prob)
            mean_prob = (student + to_full_precision(teacher_prob)) / 2
            refined, _ = mean_field_refine(
                image, mean_prob, box_target, **self.mean_field
            )
        losses = dice_loss(student_prob, refined, self.eps)
        return self.loss_weight * losses.sum() / max(len(losses), 1)
