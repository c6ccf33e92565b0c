"""Self-training on masks refined by a local mean-field CRF."""

import torch
from torch import Tensor

from mmwsis.ops.mean_field import check_settings, mean_field_marginal
from mmwsis.ops.tensor_checks import as_number, check_shape, to_full_precision
from mmwsis.registry import MODELS

from .dice_loss import dice_loss
from .reduction import SampleLoss


@MODELS.register_module()
class MeanFieldCRFLoss(SampleLoss):
    r"""Dice loss against the mean-field refinement of student and teacher.

    `MAL <https://arxiv.org/abs/2301.03992>`_, Eq. 3 to 5; `EXITS
    <https://arxiv.org/abs/2405.20729>`_, Eq. 9:

    .. math::
        L_\text{crf} = L_\text{dice}(M, \text{CRF}(M^\text{avg})), \qquad
        M^\text{avg} = (M + M^\text{teacher}) / 2

    :math:`\text{CRF}` takes no gradient. Its pairwise term joins the pixels of a small
    window by their colours, :math:`\exp(-\lVert I_i - I_j \rVert^2 / 2 \zeta^2)`; see
    :func:`mmwsis.ops.mean_field_refine`.

    Args:
        loss_weight: Factor of the loss; MAL and EXITS use 0.5. Defaults to 0.5.
        num_iters: Mean-field iterations. Defaults to 100.
        zeta: Width of the colour kernel, in units of the normalised image. Defaults to
            0.1.
        low: Lower clamp of the mean-field probability. Defaults to 0.1.
        high: Upper clamp of the mean-field probability. Defaults to 0.9.
        kernel_size: Odd side of the mean-field window in pixels. Defaults to 3.
        eps: Added to each squared sum of the Dice loss. Defaults to 1e-3.
        reduction: 'none', 'mean' or 'sum'. Defaults to 'mean'.

    Raises:
        ValueError: Unknown ``reduction``, a weight below 0, or settings that
            :func:`mmwsis.ops.mean_field_refine` does not take.

    Example:
        >>> import torch
        >>> image = torch.zeros(1, 3, 2, 4)
        >>> image[..., 2:] = 5  # the left half has one colour, the right another
        >>> student = torch.tensor([[[0.9, 0.4, 0.1, 0.2], [0.8, 0.6, 0.3, 0.1]]])
        >>> loss = MeanFieldCRFLoss(loss_weight=1.0)
        >>> # The refined mask is the left half.
        >>> loss(image, student, student, torch.ones(1, 2, 4))
        tensor(0.1179)
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
        reduction: str = 'mean',
    ) -> None:
        super().__init__(loss_weight, reduction)
        self.eps = as_number('eps', eps, '(0, inf)')
        self.mean_field = check_settings(num_iters, zeta, low, high, kernel_size)

    def forward(
        self,
        image: Tensor,
        student_prob: Tensor,
        teacher_prob: Tensor,
        box_target: Tensor,
        avg_factor: float | Tensor | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Return the weighted loss.

        Args:
            image: ``(B, C, H, W)`` normalised *student* view, colour augmentation
                included, resized to the probabilities' size.
            student_prob: ``(B, H, W)`` probability in [0, 1]; the gradient goes here
                only.
            teacher_prob: ``(B, H, W)`` probability in [0, 1].
            box_target: ``(B, H, W)`` box in [0, 1].
            avg_factor: Divisor of the mean; B if None. Defaults to None.
            reduction_override: Instead of ``reduction``. Defaults to None.

        Returns:
            Scalar, zero with a graph for B = 0; ``(B,)`` for the reduction 'none'. A
            sample whose refined mask is empty costs at most ``loss_weight``, with zero
            gradient where its prediction is empty too.

        Raises:
            ValueError: Wrong shapes.
        """
        check_shape('student_prob', student_prob, ('B', 'H', 'W'))
        check_shape(
            'teacher_prob', teacher_prob, tuple(student_prob.shape), like=student_prob
        )
        # The target: student and teacher averaged and refined, without a gradient.
        with torch.no_grad():
            student = to_full_precision(student_prob)
            mean_prob = (student + to_full_precision(teacher_prob)) / 2
            marginal = mean_field_marginal(
                image, mean_prob, box_target, *self.mean_field
            )
            # NaN would be background, and a loss of nothing but NaN look like one.
            refined = (marginal > 0.5).to(marginal.dtype) + 0 * marginal
        losses = dice_loss(student_prob, refined, self.eps)
        return self.reduce(losses, avg_factor, reduction_override)
