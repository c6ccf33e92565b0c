"""Mask labeler trained from boxes."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from mmwsis.models.losses import downsample_box_mask
from mmwsis.models.losses.projection_mil_loss import BOX_TARGETS
from mmwsis.ops import combine_logits, crop_mask_patches, encode_patch
from mmwsis.registry import MODELS
from mmwsis.structures import ObjectCropSample

from .base_labeler import BaseLabeler
from .loss_ramp import LossRamp


@MODELS.register_module()
class MaskAutoLabeler(BaseLabeler):
    r"""`Mask Auto-Labeler <https://arxiv.org/abs/2301.03992>`_ (MAL): masks from boxes.

    A student learns from the projection (MIL) loss (Eq. 2) and from the CRF loss (Eq. 3
    to 5), whose target is the mean-field refinement of student and teacher together.
    Both are weighted (Eq. 1) and, in the released code, grow at the start:

    .. math::
        L = \alpha_\text{mil} \min(1, t / 1000) L_\text{mil}
            + \alpha_\text{crf} \min(1, t / 4000) L_\text{crf}

    The teacher is the moving average of the student, kept by
    ``mmdet.MeanTeacherHook``; without a CRF loss there is none, which is the warm-up of
    EXITS' similarity extractor.

    Args:
        network: Config of :class:`MaskLabelNetwork`, student and teacher alike.
        loss_mil: Config of the projection loss, or None. Defaults to None.
        loss_crf: Config of the CRF loss, or None. Defaults to None.
        mil_ramp: Arguments of :class:`LossRamp` for the projection loss, or None.
            Defaults to None.
        crf_ramp: The same for the CRF loss. Defaults to None.
        box_target: How the losses see the box at the size of the logits: 'released',
            in which a cell at the border that the box covers by half is no foreground
            for the CRF, or 'touched', see :func:`downsample_box_mask`. Defaults to
            'released'.
        test_cfg: ``weights``: 'student', 'teacher' or 'mixed' (mean of both logits);
            ``flip``: average with the mirrored crop; ``mask_thr``: probability above
            which a pixel belongs to the mask, for small, medium, large boxes;
            ``area_bins``: upper bounds of small and medium, in image pixels. Defaults
            to None: MAL's export, student alone, thresholds 0.1, bounds 32**2 and
            96**2.
        data_preprocessor: Config of :class:`ObjectCropPreprocessor`. Defaults to None.
        init_cfg: Initialisation of the whole; the network has its own. Defaults to
            None.

    Raises:
        ValueError: No loss at all, an unknown ``box_target``, or an unknown key or
            value in ``test_cfg``.

    Example:
        >>> import torch
        >>> from mmwsis.structures import ObjectCropSample
        >>> model = MaskAutoLabeler(
        ...     network=dict(
        ...         type='mmwsis.MaskLabelNetwork',
        ...         encoder=dict(type='mmwsis.LabelerViT', img_size=32, embed_dims=16,
        ...                      num_layers=1, num_heads=2),
        ...         mask_head=dict(type='mmwsis.ScaleAwareMaskHead', in_channels=16,
        ...                        feat_channels=8)),
        ...     loss_mil=dict(type='mmwsis.ProjectionMILLoss'),
        ...     loss_crf=dict(type='mmwsis.MeanFieldCRFLoss', num_iters=5))
        >>> sample = ObjectCropSample(metainfo=dict(area=900.0))
        >>> sample.box_mask = torch.ones(64, 64, dtype=torch.uint8)
        >>> views = dict(student=torch.rand(1, 3, 64, 64),
        ...              teacher=torch.rand(1, 3, 64, 64))
        >>> sorted(model(views, [sample], mode='loss'))
        ['loss_crf', 'loss_mil']
    """

    artifacts = ('object_masks',)
    test_defaults = dict(
        weights='student',
        flip=False,
        mask_thr=(0.1, 0.1, 0.1),
        area_bins=(32**2, 96**2),
    )

    def __init__(
        self,
        network: dict,
        loss_mil: dict | None = None,
        loss_crf: dict | None = None,
        mil_ramp: dict | None = None,
        crf_ramp: dict | None = None,
        box_target: str = 'released',
        test_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(test_cfg, data_preprocessor, init_cfg)
        self.student = MODELS.build(network)
        self.loss_mil = MODELS.build(loss_mil) if loss_mil else None
        self.loss_crf = MODELS.build(loss_crf) if loss_crf else None
        self.mil_ramp = LossRamp(**mil_ramp) if mil_ramp else None
        self.crf_ramp = LossRamp(**crf_ramp) if crf_ramp else None
        if box_target not in BOX_TARGETS:
            raise ValueError(
                f'box_target must be one of {BOX_TARGETS}; got {box_target!r}.'
            )
        self.box_target = box_target
        self.teacher = copy.deepcopy(self.student) if loss_crf else None
        if self.teacher is not None:
            self.teacher.requires_grad_(False)
            # It is copied from the student; loading its checkpoint again is wasted.
            self.teacher.is_init = True
        self._check_weights()
        self._check_losses()

    def _check_losses(self) -> None:
        if self.loss_mil is None and self.loss_crf is None:
            raise ValueError(
                f'{type(self).__name__} has nothing to learn from: set loss_mil, '
                'loss_crf or both.'
            )

    def _check_weights(self) -> None:
        weights = self.test_cfg['weights']
        needs_teacher = weights in ('teacher', 'mixed')
        if weights != 'student' and not needs_teacher:
            raise ValueError(
                "test_cfg.weights must be 'student', 'teacher' or 'mixed'; "
                f'got {weights!r}.'
            )
        if needs_teacher and self.teacher is None:
            raise ValueError(
                f'test_cfg.weights={weights!r} needs a teacher, which exists '
                "only with loss_crf; use weights='student'."
            )

    @property
    def unused_in_prediction(self) -> tuple[str, ...]:
        """Prefixes of weights that prediction does without."""
        return ('teacher.',) if self.test_cfg['weights'] == 'student' else ()

    def init_weights(self) -> None:
        """Initialise the student and make the teacher its exact copy."""
        super().init_weights()
        if self.teacher is not None:
            self.teacher.load_state_dict(self.student.state_dict())

    def train(self, mode: bool = True) -> 'MaskAutoLabeler':
        """Set the mode; the teacher stays in evaluation mode."""
        super().train(mode)
        if self.teacher is not None:
            self.teacher.eval()
        return self

    def _forward(
        self,
        inputs: dict[str, Tensor],
        data_samples: list[ObjectCropSample] | None = None,
    ) -> Tensor:
        """The student's logits ``(B, H, W)`` of ``image``, or of its own view."""
        images = inputs['image'] if 'image' in inputs else inputs['student']
        return self.student(images, _areas(data_samples))

    def loss(
        self, inputs: dict[str, Tensor], data_samples: list[ObjectCropSample]
    ) -> dict[str, Tensor]:
        """Losses of one batch.

        Args:
            inputs: ``student`` and ``teacher`` views, ``(B, 3, S, S)``, normalised.
            data_samples: ``B`` samples with ``box_mask`` and ``area``.

        Returns:
            ``loss_mil`` and ``loss_crf``, as far as configured, weights and ramps
            applied.
        """
        # The student's masks and the boxes, (B, H, W) each.
        prob, box_target = self._student_prob(inputs, data_samples)
        # MIL loss, CRF loss.
        return self._box_losses(inputs, data_samples, prob, box_target)

    def _student_prob(
        self, inputs: dict[str, Tensor], data_samples: list[ObjectCropSample]
    ) -> tuple[Tensor, Tensor]:
        """Probabilities, float32 even under autocast, and the box at their size."""
        logits = self.student(inputs['student'], _areas(data_samples))
        target = downsample_box_mask(
            box_masks(data_samples), logits.shape[-2:], self.box_target
        )
        return logits.float().sigmoid(), target

    def _box_losses(
        self,
        inputs: dict[str, Tensor],
        data_samples: list[ObjectCropSample],
        prob: Tensor,
        box_target: Tensor,
    ) -> dict[str, Tensor]:
        """MIL loss (Eq. 2) and CRF loss (Eq. 3 to 5), as far as configured."""
        losses = {}
        if self.loss_mil is not None:
            factor = self.mil_ramp.factor() if self.mil_ramp else 1.0
            losses['loss_mil'] = factor * self.loss_mil(prob, box_target)
        if self.loss_crf is not None:
            # The teacher's masks, of its own view, (B, H, W).
            with torch.no_grad():
                logits = self.teacher(inputs['teacher'], _areas(data_samples))
                teacher_prob = logits.float().sigmoid()
            # The CRF works on the augmented colours that the student saw (MAL's code).
            image = F.interpolate(
                inputs['student'].float(),
                size=prob.shape[-2:],
                mode='bilinear',
                align_corners=False,
            )
            factor = self.crf_ramp.factor() if self.crf_ramp else 1.0
            losses['loss_crf'] = factor * self.loss_crf(
                image, prob, teacher_prob, box_target
            )
        return losses

    @torch.no_grad()
    def predict_logits(
        self, inputs: dict[str, Tensor], data_samples: list[ObjectCropSample]
    ) -> Tensor:
        """Logits as ``test_cfg`` wants them.

        Args:
            inputs: ``image``: ``(B, 3, S, S)``, normalised.
            data_samples: ``B`` samples with ``area``.

        Returns:
            ``(B, H, W)`` float32.
        """
        images, areas = inputs['image'], _areas(data_samples)
        weights, flip = self.test_cfg['weights'], self.test_cfg['flip']
        # Of every network that is wanted: the crop and, for flip, its mirror image.
        logits: dict[str, Tensor] = {}
        for name in ('student', 'teacher') if weights == 'mixed' else (weights,):
            network = getattr(self, name)
            logits[name] = network(images, areas).float()
            if flip:
                logits[f'{name}_flipped'] = network(images.flip(-1), areas).float()
        logits.setdefault('student', None)
        return combine_logits(**logits, weights=weights, flip=flip)

    @torch.no_grad()
    def predict(
        self, inputs: dict[str, Tensor], data_samples: list[ObjectCropSample]
    ) -> list[ObjectCropSample]:
        """Masks of the original images (MAL's export).

        Args:
            inputs: ``image``: ``(B, 3, S, S)``, normalised, test crops.
            data_samples: ``B`` samples.

        Returns:
            The samples with meta information ``pred_mask`` (COCO RLE of image size,
            counts as str), ``pred_score`` (mean probability over the mask, 0 if empty)
            and ``empty_prediction``. None for no sample.
        """
        if not data_samples:
            return data_samples
        # Mask logits of the crops, (B, H, W).
        logits = self.predict_logits(inputs, data_samples)
        # To probabilities inside the box, at the size of the crop in its image; binary.
        sizes = [(sample.height, sample.width) for sample in data_samples]
        patches = crop_mask_patches(
            logits,
            box_masks(data_samples),
            [sample.crop_box for sample in data_samples],
            sizes,
            _areas(data_samples),
            self.test_cfg['mask_thr'],
            self.test_cfg['area_bins'],
        )
        # As RLE of the whole image, without ever making its full mask.
        for sample, patch, size in zip(data_samples, patches, sizes, strict=True):
            sample.set_metainfo(
                dict(
                    pred_mask=encode_patch(patch.mask, patch.x, patch.y, size),
                    pred_score=float(patch.score),
                    empty_prediction=not bool(patch.mask.any()),
                )
            )
        return data_samples


def _areas(data_samples: Sequence[ObjectCropSample]) -> list[float]:
    return [float(sample.area) for sample in data_samples]


def box_masks(data_samples: Sequence[ObjectCropSample]) -> Tensor:
    """Stack the box masks of a batch.

    Args:
        data_samples: Samples with ``box_mask``.

    Returns:
        uint8 ``(B, S, S)``.

    Raises:
        ValueError: No sample.
    """
    if not data_samples:
        raise ValueError('data_samples: expected at least one sample, got none.')
    return torch.stack([sample.box_mask for sample in data_samples])
