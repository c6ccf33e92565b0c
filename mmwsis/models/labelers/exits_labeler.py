"""Mask labeler trained from extreme points."""

import inspect
from typing import Any, ClassVar

import torch
from torch import Tensor

from mmwsis.ops import (
    NonFiniteSimilarityError,
    PointRetrieval,
    box_cells,
    cells_to_grid,
    drop_points,
    extreme_points_to_cells,
    lacks_pseudo_points,
    retrieve_points,
)
from mmwsis.registry import MODELS
from mmwsis.structures import ObjectCropSample

from .mask_auto_labeler import MaskAutoLabeler, box_masks

_RETRIEVAL_OPTIONS = set(inspect.signature(retrieve_points).parameters) - {
    'similarity',
    'init_fg',
    'in_box',
}


@MODELS.register_module()
class ExitsLabeler(MaskAutoLabeler):
    r"""`EXITS <https://arxiv.org/abs/2405.20729>`_: MAL with retrieved points.

    The frozen similarity extractor turns the attention between patches into a random
    walk; patches that the walk joins to the extreme points, or to the outside of the
    box, become labelled points of the object, or of the background (section 3.2). The
    loss is Eq. 10, with the point loss of Eq. 8 and the CRF loss of Eq. 9:

    .. math::
        L = \lambda_\text{point} L_\text{point} + \lambda_\text{crf} L_\text{crf}

    The CRF loss keeps MAL's ramp, which the paper does not mention.

    Args:
        similarity_extractor: Config of :class:`SimilarityExtractor`, or of the variant
            :class:`FeatureSimilarity`.
        loss_point: Config of the point loss.
        retrieval: ``delta``: inward push of the extreme points in pixels of the crop;
            ``hops`` of the walk, an integer or 'inf' with ``beta``; thresholds
            ``tau_fg`` and ``tau_bg``, for a 32x32 grid; ``point_dropout``: share of the
            retrieved points that is left out whenever a sample is drawn, 0.9 by
            default; further arguments of :func:`mmwsis.ops.retrieve_points`.
        **kwargs: Arguments of :class:`MaskAutoLabeler`.

    Raises:
        ValueError: ``retrieval`` lacks ``delta`` or has unknown keys.

    Example:
        >>> import torch
        >>> encoder = dict(type='mmwsis.LabelerViT', img_size=32, embed_dims=16,
        ...                num_layers=1, num_heads=2)
        >>> model = ExitsLabeler(
        ...     network=dict(
        ...         type='mmwsis.MaskLabelNetwork', encoder=encoder,
        ...         mask_head=dict(type='mmwsis.ScaleAwareMaskHead', in_channels=16,
        ...                        feat_channels=8)),
        ...     similarity_extractor=dict(
        ...         type='mmwsis.SimilarityExtractor', encoder=encoder, layer=1),
        ...     loss_point=dict(type='mmwsis.ExtremePointLoss'),
        ...     loss_crf=dict(type='mmwsis.MeanFieldCRFLoss', num_iters=5),
        ...     retrieval=dict(delta=2))
        >>> sample = ObjectCropSample(
        ...     metainfo=dict(area=900.0, crop_box=(0, 0, 64, 64), flip=False))
        >>> sample.box_mask = torch.zeros(64, 64, dtype=torch.uint8)
        >>> sample.box_mask[16:48, 16:48] = 1
        >>> # Top, left, bottom, right, each (x, y).
        >>> sample.extreme_points = torch.tensor(
        ...     [[30.0, 16], [16, 28], [33, 47], [47, 35]])
        >>> views = dict(student=torch.rand(1, 3, 64, 64),
        ...              teacher=torch.rand(1, 3, 64, 64))
        >>> sorted(model(views, [sample], mode='loss'))
        ['fallback_rate', 'loss_crf', 'loss_point', 'pseudo_bg', 'pseudo_fg']
    """

    report_picture: ClassVar[dict[str, str]] = dict(
        title='Point retrieval of EXITS', tool='tools/analysis_tools/show_retrieval.py'
    )

    def __init__(
        self,
        similarity_extractor: dict,
        loss_point: dict,
        retrieval: dict,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.similarity_extractor = MODELS.build(similarity_extractor)
        self.loss_point = MODELS.build(loss_point)
        options = dict(retrieval)
        if 'delta' not in options:
            raise ValueError(
                'retrieval needs delta, the inward push of the extreme points in '
                'pixels of the crop (EXITS: 24 of 512 on COCO, 16 LVIS, 12 VOC).'
            )
        self.delta = float(options.pop('delta'))
        self.point_dropout = float(options.pop('point_dropout', 0.9))
        unknown = sorted(set(options) - _RETRIEVAL_OPTIONS)
        if unknown:
            known = sorted({'delta', 'point_dropout', *_RETRIEVAL_OPTIONS})
            raise ValueError(
                f'retrieval has unknown keys {unknown}; known are {known}.'
            )
        self.retrieval_options = options

    @property
    def unused_in_prediction(self) -> tuple[str, ...]:
        """Prefixes of weights that prediction does without."""
        return (*super().unused_in_prediction, 'similarity_extractor.')

    def _check_losses(self) -> None:
        """The point loss is always there."""

    @torch.no_grad()
    def retrieve(
        self, inputs: dict[str, Tensor], data_samples: list[ObjectCropSample]
    ) -> tuple[PointRetrieval, Tensor]:
        """Label patches by a random walk from the extreme points (Eq. 2 to 5).

        Args:
            inputs: ``teacher`` view, or ``image``: ``(B, 3, S, S)``, normalised.
            data_samples: ``B`` samples with ``box_mask`` and ``extreme_points``.

        Returns:
            The retrieved points, before point dropout, ``(B, N, N)`` each, and the
            similarity ``(B, N * N, N * N)`` they come from.

        Raises:
            FloatingPointError: Attention is not finite; names the annotations.
            ValueError: Samples lack extreme points.
        """
        images = inputs['teacher'] if 'teacher' in inputs else inputs['image']
        masks = box_masks(data_samples)
        patch_size = self.similarity_extractor.patch_size
        # S: attention between the N * N patches, (B, N * N, N * N).
        similarity = self.similarity_extractor(images)
        # P_Box: the cells that the box touches, (B, N, N).
        in_box = box_cells(masks, patch_size)
        # P_FG: the cells of the extreme points, pushed inward by delta, (B, N, N).
        cells = extreme_points_to_cells(
            _extreme_points(data_samples),
            torch.tensor([sample.crop_box for sample in data_samples]),
            torch.tensor([bool(sample.flip) for sample in data_samples]),
            crop_size=masks.shape[-1],
            patch_size=patch_size,
            delta=self.delta,
        )
        init_fg = cells_to_grid(cells.rows, cells.cols, in_box.shape[-1])
        # Transition matrix (Eq. 2), propagation scores (3, 4), thresholds (5).
        try:
            retrieval = retrieve_points(
                similarity, init_fg, in_box, **self.retrieval_options
            )
        except NonFiniteSimilarityError as error:
            broken = [data_samples[index].ann_id for index in error.batch_indices]
            raise FloatingPointError(
                f'the similarity of annotation ids {broken} is not finite. The '
                'similarity extractor is damaged or overflows in half precision: train '
                'it again, or train without --amp.'
            ) from error
        return retrieval, similarity

    def loss(
        self, inputs: dict[str, Tensor], data_samples: list[ObjectCropSample]
    ) -> dict[str, Tensor]:
        """Losses of one batch, weights and ramps applied.

        Args:
            inputs: ``student`` and ``teacher`` views, ``(B, 3, S, S)``, normalised.
            data_samples: ``B`` samples with ``box_mask``, ``extreme_points``, ``area``.

        Returns:
            ``loss_point``, ``loss_crf`` (and ``loss_mil``) as far as configured;
            statistics: ``fallback_rate`` (share of crops without any retrieved point,
            which learn from the projection loss), mean number of ``pseudo_fg`` and
            ``pseudo_bg`` cells per crop.
        """
        # The student's masks, (B, H, W).
        prob, box_target = self._student_prob(inputs, data_samples)
        # Point labels, and what point dropout leaves of them.
        retrieval, _ = self.retrieve(inputs, data_samples)
        dropped = drop_points(retrieval, self.point_dropout)
        # Point loss (Eq. 8), then the CRF loss (Eq. 9).
        losses = dict(loss_point=self.loss_point(prob, box_target, retrieval, dropped))
        losses |= self._box_losses(inputs, data_samples, prob, box_target)
        return losses | _statistics(retrieval)


def _extreme_points(data_samples: list[ObjectCropSample]) -> Tensor:
    lacking = [s.ann_id for s in data_samples if 'extreme_points' not in s]
    if lacking:
        raise ValueError(
            f'annotation ids {lacking} have no extreme_points, which EXITS learns '
            "from: declare the dataset with supervision='extreme_points' and give a "
            'file that has them (tools/dataset_converters/coco2weak.py).'
        )
    return torch.stack([sample.extreme_points for sample in data_samples])


def _statistics(retrieval: PointRetrieval) -> dict[str, Tensor]:
    return dict(
        fallback_rate=lacks_pseudo_points(retrieval).float().mean(),
        pseudo_fg=retrieval.pseudo_fg.flatten(1).float().sum(1).mean(),
        pseudo_bg=retrieval.pseudo_bg.flatten(1).float().sum(1).mean(),
    )
