"""From class probabilities and detections to instances, by a learned dense CRF."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from mmwsis.ops import BilateralKernel, DenseCRF, GaussianKernel, instance_unary
from mmwsis.ops.crf_kernels import BACKENDS, NORMALIZATIONS
from mmwsis.ops.tensor_checks import (
    as_integer,
    as_number,
    check_choice,
    check_shape,
    to_full_precision,
)
from mmwsis.registry import MODELS


class AssignedPixels(NamedTuple):
    """Which detection the pixels of an image belong to.

    Attributes:
        probs: (D, H, W), summing to 1 over the detections.
        labels: (D,) class of every detection: first all stuff classes in order, then
            the things that were detected.
        scores: (D,) in [0, 1], 1 for stuff.
    """

    probs: Tensor
    labels: Tensor
    scores: Tensor


@MODELS.register_module()
class InstanceCRFHead(BaseModule):
    r"""Instance sub-network of weakly-supervised panoptic segmentation.

    `Li, Arnab and Torr <https://arxiv.org/abs/1808.03575>`__, section 3.4, and `Arnab
    and Torr <https://arxiv.org/abs/1704.02386>`__. Its labels are the detections of the
    image: those of a detector, and for every stuff class one of score 1 whose box is
    the image. Unaries are those of :func:`mmwsis.ops.instance_unary`; the pairwise
    terms and the unrolled mean field are :class:`mmwsis.ops.DenseCRF`'s, the same for
    all labels. Four weights are learned, through softplus, so that they stay above 0:
    those of the unary's two terms and of the two kernels.

    Args:
        num_things_classes: Number of things; their labels are the first.
        num_stuff_classes: Number of stuff classes.
        box_weight: Initial weight :math:`w_1` of the box term, above 0. Defaults to
            1.0.
        global_weight: Initial weight :math:`w_2` of the global term, above 0. Defaults
            to 1.0.
        position: ``weight``, initial, above 0, and ``sxy`` in pixels of the kernel of
            positions. Defaults to None: 3 and 3.
        colour: ``weight``, ``sxy`` and ``srgb`` of the kernel of positions and colours.
            Defaults to None: 5, 60 and 10.
        eps: Of the unary. Defaults to 1e-8.
        num_iters: Updates of mean field in training, at least 0. Defaults to 5.
        recompute: Whether backward repeats the updates, which then need less memory.
            Defaults to True.
        normalization: Of the kernels, see :class:`mmwsis.ops.DenseCRF`. Defaults to
            'symmetric'.
        backend: 'lattice', or for small images 'exact'. Defaults to 'lattice'.
        init_cfg: Config of the initialisation. Defaults to None.

    Raises:
        TypeError: An unknown setting of a kernel.
        ValueError: A setting out of range.

    Example:
        >>> head = InstanceCRFHead(2, 1, backend='exact')
        >>> probs = torch.rand(3, 8, 12).softmax(0)
        >>> image = torch.zeros(8, 12, 3, dtype=torch.uint8)
        >>> boxes = torch.tensor([[1.0, 1.0, 6.0, 5.0]])
        >>> found = head(probs, torch.tensor([0]), torch.tensor([0.9]), boxes, image)
        >>> found.probs.shape, found.labels
        (torch.Size([2, 8, 12]), tensor([2, 0]))
    """

    def __init__(
        self,
        num_things_classes: int,
        num_stuff_classes: int,
        box_weight: float = 1.0,
        global_weight: float = 1.0,
        position: Mapping[str, float] | None = None,
        colour: Mapping[str, float] | None = None,
        eps: float = 1e-8,
        num_iters: int = 5,
        recompute: bool = True,
        normalization: str = 'symmetric',
        backend: str = 'lattice',
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.num_things_classes = as_integer(
            'num_things_classes', num_things_classes, 0
        )
        self.num_stuff_classes = as_integer('num_stuff_classes', num_stuff_classes, 1)
        self.eps = as_number('eps', eps, '(0, inf)')
        self.num_iters = as_integer('num_iters', num_iters, 0)
        self.recompute = recompute
        check_choice('normalization', normalization, NORMALIZATIONS)
        check_choice('backend', backend, BACKENDS)
        self.crf_settings: dict[str, Any] = dict(
            normalization=normalization, backend=backend
        )
        smoothness = GaussianKernel(**{'weight': 3.0, 'sxy': 3, **(position or {})})
        appearance = BilateralKernel(
            **{'weight': 5.0, 'sxy': 60, 'srgb': 10, **(colour or {})}
        )
        self.position = dict(sxy=smoothness.sxy)
        self.colour = dict(sxy=appearance.sxy, srgb=appearance.srgb)
        self.raw_box_weight = _raw('box_weight', box_weight)
        self.raw_global_weight = _raw('global_weight', global_weight)
        self.raw_position_weight = _raw('position.weight', smoothness.weight)
        self.raw_colour_weight = _raw('colour.weight', appearance.weight)

    @property
    def weights(self) -> dict[str, Tensor]:
        """The learned weights by name, above 0; they carry gradients."""
        raw = dict(
            box=self.raw_box_weight,
            global_=self.raw_global_weight,
            position=self.raw_position_weight,
            colour=self.raw_colour_weight,
        )
        return {
            name: F.softplus(to_full_precision(value)) for name, value in raw.items()
        }

    def forward(
        self,
        probs: Tensor,
        labels: Tensor,
        scores: Tensor,
        boxes: Tensor,
        image: Tensor,
        num_iters: int | None = None,
    ) -> AssignedPixels:
        """Assign the pixels of an image to its detections.

        Args:
            probs: (L, H, W), probabilities of things, then stuff.
            labels: (D,) class of every detection, in [0, num_things_classes).
            scores: (D,) in [0, 1].
            boxes: (D, 4), (x1, y1, x2, y2) in pixels.
            image: (H, W, 3) RGB of 0 to 255, uint8 or float.
            num_iters: Updates of mean field, at least 0. Defaults to None: those of
                training.

        Returns:
            Of stuff and detections; without detections of stuff alone.

        Raises:
            TypeError: Labels of fractions.
            ValueError: Shapes that do not fit, or values out of range.
        """
        classes = self.num_things_classes + self.num_stuff_classes
        check_shape('probs', probs, (classes, 'H', 'W'))
        check_shape('image', image, (*probs.shape[1:], 3), like=probs)
        detections = self._with_stuff(probs, labels, scores, boxes)
        weights = self.weights
        unary = instance_unary(
            *(probs, *detections),
            box_weight=weights['box'],
            global_weight=weights['global_'],
            eps=self.eps,
        )
        kernels = [
            GaussianKernel(weight=weights['position'], **self.position),
            BilateralKernel(weight=weights['colour'], **self.colour),
        ]
        crf = DenseCRF(image, kernels, dtype=unary.dtype, **self.crf_settings)
        num_iters = self.num_iters if num_iters is None else num_iters
        assigned = crf.marginals(unary, num_iters, self.recompute)
        return AssignedPixels(assigned, *detections[:2])

    def _with_stuff(
        self, probs: Tensor, labels: Tensor, scores: Tensor, boxes: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Labels, scores and boxes, those of stuff first."""
        check_shape('labels', labels, ('D',), like=probs)
        check_shape('scores', scores, (len(labels),), like=probs)
        check_shape('boxes', boxes, (len(labels), 4), like=probs)
        height, width = probs.shape[1:]
        stuff = (
            torch.arange(self.num_stuff_classes, device=probs.device)
            + self.num_things_classes
        )
        whole = boxes.new_tensor([0, 0, width, height]).expand(
            self.num_stuff_classes, 4
        )
        return (
            torch.cat([stuff.to(labels.dtype), labels]),
            torch.cat([scores.new_ones(self.num_stuff_classes), scores]),
            torch.cat([whole, boxes]),
        )


def _raw(name: str, weight: float) -> nn.Parameter:
    """Parameter whose softplus is a weight."""
    weight = as_number(name, weight, '(0, inf)')
    return nn.Parameter(torch.tensor(weight, dtype=torch.float64).expm1().log().float())
