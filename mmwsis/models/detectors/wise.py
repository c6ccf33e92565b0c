"""Instances from one point per object, through class-agnostic proposals."""

import logging
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from mmdet.structures import DetDataSample
from mmengine.logging import print_log
from mmengine.structures import InstanceData
from torch import Tensor

from mmwsis.ops import (
    ClassBlobs,
    Peaks,
    PointInstances,
    class_blobs,
    enlarged_at,
)
from mmwsis.ops.tensor_checks import as_number
from mmwsis.registry import MODELS

from .end_to_end_detector import EndToEndDetector
from .finite_maps import check_finite_maps
from .predictions import fill_instances
from .wise_masks import (
    SCORES,
    WISEResult,
    best_proposal_masks,
    blob_masks,
    embedded_masks,
    no_masks,
    oracle_masks,
    true_masks,
)
from .wise_samples import known_objects, known_points, original_proposals

WITHOUT_L_NET = ('prm', 'gt_points')  # their points need not be found
WITHOUT_E_NET = ('blobs', 'best_proposal', 'oracle', 'gt_mask')
MASK_SOURCES = (*WITHOUT_E_NET, *WITHOUT_L_NET, 'wise')
# Points that are known take the place of found ones when training images are labelled.
CLICKABLE = ('best_proposal', 'wise')
# Settings of embedded_masks.
EMBEDDING_SETTINGS = (
    *('cand_min_score', 'background_min_score', 'single_point'),
    *('kmeans_stride', 'restrict_to_point', 'score'),
)


@MODELS.register_module()
class WISE(EndToEndDetector):
    r"""`WISE <https://arxiv.org/abs/1906.06392>`_: instances from a point per object.

    On one backbone, L-Net finds blobs of the classes, each with one point at its peak,
    and E-Net gives every pixel an embedding. A point's region is where embeddings are
    most like its own, and not like those that stand for the background; the proposal
    that fits the region best is the mask. L-Net learns from points by LCFCN's loss,
    E-Net from pixels of proposals that cover them:

    .. math::
        L_W = \lambda L_L + (1 - \lambda) L_E

    (Eq. 4), as the mean over the images of a batch. All is computed for each image
    without the padding of the batch, on which ``align_corners=True`` would depend.

    Args:
        num_classes: Number C of classes, without background.
        backbone: Config.
        localization_head: Config of a head such as ``mmwsis.FCN8Head``: called with the
            features and a size, and with ``stride8``. Its ``out_channels`` are set
            here, as for the other one.
        embedding_head: Likewise.
        loss_localization: Config of a loss of (logits, points, labels) of an image, a
            dictionary of terms; its ``form``, 'softmax' or 'sigmoid', is L-Net's.
        loss_embedding: Config of a loss of (anchors, samples, same) of an image.
        neck: Config. Defaults to None.
        embed_dims: Length d of the embeddings. Defaults to 64.
        localization_weight: The paper's :math:`\lambda`. 1 trains L-Net alone and 0
            E-Net alone: the other head is not run, and its weights are frozen. Defaults
            to 0.1.
        test_cfg: ``mask_source``, a row of Table 1: 'blobs', 'best_proposal', 'oracle',
            'gt_mask', 'prm', 'gt_points' or 'wise'; ``cand_min_score``: proposals that
            are chosen have a higher score; ``background_min_score``: background is what
            no proposal of a higher score around a point covers, None: the same;
            ``single_point``: those that cover several points leave background;
            ``kmeans_stride``: every so many rows and columns of it are clustered;
            ``restrict_to_point``: a chosen proposal covers the point; ``score``: 'dice'
            of region and proposal, 'peak' or 'product' of both; ``use_clicks``: when
            training images are labelled, 'wise' and 'best_proposal' make masks for
            their points, not for found ones. Defaults to None: the paper's values.
        data_preprocessor: Config, usually of ``mmdet.DetDataPreprocessor``. Defaults to
            None.
        init_cfg: Initialisation of the whole; the parts have their own. Defaults to
            None.

    Raises:
        ValueError: A ``localization_weight`` outside [0, 1]; an unknown key or value in
            ``test_cfg``, or a ``mask_source`` of the branch that is not trained.

    Example:
        >>> import torch
        >>> head = dict(type='mmwsis.FCN8Head', in_channels=(64, 128, 256))
        >>> model = WISE(
        ...     num_classes=2,
        ...     backbone=dict(type='mmdet.ResNet', depth=18, num_stages=3,
        ...                   strides=(1, 2, 2), dilations=(1, 1, 1),
        ...                   out_indices=(0, 1, 2)),
        ...     localization_head=head, embedding_head=head,
        ...     loss_localization=dict(type='mmwsis.LCFCNLoss'),
        ...     loss_embedding=dict(type='mmwsis.PixelEmbeddingLoss'),
        ...     test_cfg=dict(mask_source='blobs'))
        >>> _ = model.eval()
        >>> [tuple(one.shape) for one in model(torch.rand(1, 3, 32, 48))]
        [(1, 3, 32, 48), (1, 64, 8, 12)]
        >>> sample = DetDataSample(
        ...     metainfo=dict(img_id=1, img_shape=(32, 48), ori_shape=(30, 45)))
        >>> (sample,) = model(torch.rand(1, 3, 32, 48), [sample], mode='predict')
        >>> sample.pred_instances.masks.shape[1:]
        torch.Size([30, 45])
    """

    artifacts = ('instances', 'points')
    report_picture = dict(
        title='From blobs to chosen proposals',
        tool='tools/analysis_tools/show_wise.py',
    )
    test_defaults: ClassVar[dict[str, Any]] = dict(
        mask_source='wise',
        cand_min_score=0.5,
        background_min_score=None,
        single_point=False,
        kmeans_stride=1,
        restrict_to_point=True,
        score='dice',
        use_clicks=True,
    )

    def __init__(
        self,
        num_classes: int,
        backbone: dict,
        localization_head: dict,
        embedding_head: dict,
        loss_localization: dict,
        loss_embedding: dict,
        neck: dict | None = None,
        embed_dims: int = 64,
        localization_weight: float = 0.1,
        test_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(backbone, neck, test_cfg, data_preprocessor, init_cfg)
        self.num_classes = num_classes
        self.localization_weight = as_number(
            'localization_weight', localization_weight, '[0, 1]'
        )
        self._check_test_cfg()
        self.loss_localization = MODELS.build(loss_localization)
        self.loss_embedding = MODELS.build(loss_embedding)
        channels = num_classes + (self.loss_localization.form == 'softmax')
        self.localization_head = MODELS.build(
            {**localization_head, 'out_channels': channels}
        )
        self.embedding_head = MODELS.build(
            {**embedding_head, 'out_channels': embed_dims}
        )
        # Distributed training waits for the gradient of whatever has none.
        self.localization_head.requires_grad_(self.localization_weight > 0)
        self.embedding_head.requires_grad_(self.localization_weight < 1)

    def _check_test_cfg(self) -> None:
        for key, known in (('mask_source', MASK_SOURCES), ('score', SCORES)):
            if self.test_cfg[key] not in known:
                raise ValueError(
                    f'test_cfg.{key}: expected one of {known}, got '
                    f'{self.test_cfg[key]!r}.'
                )
        source, weight = self.test_cfg['mask_source'], self.localization_weight
        branch = None
        if weight == 0 and source not in WITHOUT_L_NET:
            branch, others = 'L-Net', WITHOUT_L_NET
        elif weight == 1 and source not in WITHOUT_E_NET:
            branch, others = 'E-Net', WITHOUT_E_NET
        if branch is not None:
            raise ValueError(
                f'test_cfg.mask_source={source!r} needs {branch}, which '
                f'localization_weight={weight:g} does not train; set one of {others}.'
            )

    def _forward(
        self, batch_inputs: Tensor, batch_data_samples: Any = None
    ) -> tuple[Tensor, Tensor]:
        """Logits ``(B, C + 1, H, W)`` and embeddings ``(B, d, h, w)`` of the batch."""
        features = self.extract_feat(batch_inputs)
        return (
            self.localization_head(features, batch_inputs.shape[2:]),
            self.embedding_head.stride8(features),
        )

    def loss(
        self, batch_inputs: Tensor, batch_data_samples: Sequence[DetDataSample]
    ) -> dict[str, Tensor]:
        """Losses of one batch of images.

        Args:
            batch_inputs: ``(B, 3, H, W)``, normalised.
            batch_data_samples: B samples with the metainfo ``img_shape``;
                ``gt_instances`` with ``points``, whole numbers, and ``labels``, unless
                ``localization_weight`` is 0; ``gt_pixel_groups`` of
                ``mmwsis.GeneratePixelGroups``, unless it is 1.

        Returns:
            The terms of L-Net's loss and ``loss_embedding``, weighted: their sum is
            Eq. 4.

        Raises:
            FloatingPointError: The network's output is not finite; the message names
                the image.
        """
        sizes = [tuple(sample.img_shape[:2]) for sample in batch_data_samples]
        if set(sizes) == {tuple(batch_inputs.shape[2:])}:  # one pass, nothing is padded
            levels = [level.split(1) for level in self.extract_feat(batch_inputs)]
            features = zip(*levels)
        else:
            features = (
                self.extract_feat(image[None, :, :height, :width])
                for image, (height, width) in zip(batch_inputs, sizes)
            )
        losses = [
            self._image_losses(own, sample)
            for own, sample in zip(features, batch_data_samples, strict=True)
        ]
        return {
            name: torch.stack([terms[name] for terms in losses]).mean()
            for name in losses[0]
        }

    def _image_losses(
        self, features: Sequence[Tensor], sample: DetDataSample
    ) -> dict[str, Tensor]:
        """Weighted losses of one image."""
        weight, size = self.localization_weight, tuple(sample.img_shape[:2])
        losses = {}
        if weight > 0:
            logits = self._logits(features, size, sample)
            objects = sample.gt_instances
            points = (objects.points + 0.5).floor().long()
            terms = self.loss_localization(logits, points, objects.labels)
            losses.update((name, weight * value) for name, value in terms.items())
        if weight < 1:
            embeddings = self._embeddings(features, sample)
            groups = sample.gt_pixel_groups
            anchors, pixels, same = (
                torch.as_tensor(entry, device=embeddings.device)
                for entry in (groups.anchors, groups.pixels, groups.same)
            )
            losses['loss_embedding'] = (1 - weight) * self.loss_embedding(
                enlarged_at(embeddings, anchors, size),
                enlarged_at(embeddings, pixels, size),
                same,
            )
        return losses

    def _logits(
        self, features: Sequence[Tensor], size: tuple[int, int], sample: DetDataSample
    ) -> Tensor:
        """L-Net's map of one image, (C + 1, H, W)."""
        logits = self.localization_head(features, size).float()
        check_finite_maps(dict(logits=logits), [sample])
        return logits[0]

    def _embeddings(self, features: Sequence[Tensor], sample: DetDataSample) -> Tensor:
        """E-Net's map of one image, (d, h, w)."""
        embeddings = self.embedding_head.stride8(features).float()
        check_finite_maps(dict(embeddings=embeddings), [sample])
        return embeddings[0]

    def predict_image(self, image: Tensor, sample: DetDataSample) -> None:
        """Fill the predictions of one image.

        Args:
            image: ``(3, h, w)``, normalised.
            sample: With the metainfo ``img_shape`` and ``ori_shape``, and what the
                ``mask_source`` reads: ``mask_proposals``, ``gt_instances``.

        Raises:
            FloatingPointError: The network's output is not finite.
            ValueError: The sample lacks what is read; the message names the image.
        """
        found = self.intermediates(image, sample)
        # Those of L-Net, whose number is counted, wherever it was trained; clicks are
        # not found.
        points = found.points if found.blobs is None else _peaks(found.blobs)
        if found.blobs is not None or self.test_cfg['mask_source'] != 'gt_points':
            sample.pred_points = InstanceData(
                labels=points.labels,
                scores=points.scores,
                points=points.points.to(points.scores.dtype),
            )
        if found.instances is not None:
            labels, scores, masks = found.instances
            # Objectness may be any number, what labels say of themselves is in [0, 1].
            scores = scores if self.artifact is None else scores.clamp(0, 1)
            known = found.objects if self._are_clicks(sample) else None
            fill_instances(sample, labels, scores, masks, known)

    @torch.no_grad()
    def intermediates(self, image: Tensor, sample: DetDataSample) -> WISEResult:
        """All that leads to the predictions of one image.

        Args:
            image: As for :meth:`predict_image`.
            sample: Likewise; is left as it is.

        Returns:
            ``instances`` are None if points alone are asked for.

        Raises:
            FloatingPointError: The network's output is not finite.
            ValueError: The sample lacks what is read; the message names the image.
        """
        features = self.extract_feat(image[None])
        found = WISEResult()
        if self.localization_weight > 0:
            size = tuple(sample.ori_shape[:2])
            probabilities = self._probabilities(self._logits(features, size, sample))
            blobs = class_blobs(probabilities)
            found = found._replace(probabilities=probabilities, blobs=blobs)
        source = self.test_cfg['mask_source']
        points = self._points(source, found.blobs, sample)
        found = found._replace(points=points)
        if self.artifact == 'points':
            return found
        if source in WITHOUT_E_NET:
            return found._replace(**self._localized(source, found, sample)._asdict())
        return self._embedded(found, features, sample)

    def _probabilities(self, logits: Tensor) -> Tensor:
        """Probabilities (C + 1, H, W), of which the largest is the class."""
        if self.loss_localization.form == 'softmax':
            return logits.softmax(0)
        # Without a channel of its own, background is what no class exceeds.
        return torch.cat([torch.full_like(logits[:1], 0.5), logits.sigmoid()])

    def _points(
        self, source: str, blobs: ClassBlobs | None, sample: DetDataSample
    ) -> Peaks:
        """The points that masks are made for."""
        device = next(self.parameters()).device
        if source in WITHOUT_L_NET:
            option = "model.test_cfg.mask_source='wise'"
            return known_points(sample, source, device, option)
        if self._takes_clicks(source):
            option = 'model.test_cfg.use_clicks=False'
            return known_points(sample, source, device, option)
        return _peaks(blobs)

    def _takes_clicks(self, source: str) -> bool:
        """Whether known points take the place of found ones."""
        labels_training = self.artifact == 'instances' and self.test_cfg['use_clicks']
        return labels_training and source in CLICKABLE

    def _are_clicks(self, sample: DetDataSample) -> bool:
        """Whether pseudo labels are made for annotated points, whose ids they keep."""
        source = self.test_cfg['mask_source']
        if self.artifact is None or 'points' not in sample.get('gt_instances', ()):
            return False
        return source == 'gt_points' or self._takes_clicks(source)

    def _localized(
        self, source: str, found: WISEResult, sample: DetDataSample
    ) -> PointInstances:
        """Masks of the rows of Table 1 that do without E-Net."""
        if source == 'blobs':
            return blob_masks(found.blobs)
        if source == 'gt_mask':
            return true_masks(found.points, known_objects(sample, source))
        proposals = original_proposals(sample, source)
        least = self.test_cfg['cand_min_score']
        if source == 'best_proposal':
            return best_proposal_masks(found.points, proposals, least)
        truth = known_objects(sample, source)
        return oracle_masks(found.points, proposals, truth, least)

    def _embedded(
        self, found: WISEResult, features: Sequence[Tensor], sample: DetDataSample
    ) -> WISEResult:
        """Regions of E-Net, and the proposals that fit them best."""
        cfg = self.test_cfg
        proposals = original_proposals(sample, cfg['mask_source'])
        if not len(found.points.labels):
            nothing = no_masks(found.points, proposals.size)
            return found._replace(**nothing._asdict())
        embeddings = self._embeddings(features, sample)
        settings = {key: cfg[key] for key in EMBEDDING_SETTINGS}
        own = embedded_masks(embeddings, found.points, proposals, **settings)
        lost = len(found.points.labels) - len(own.instances.labels)
        if lost:
            print_log(
                f'image id {sample.get("img_id")!r}: {lost} objects have no pixel of '
                'their own, because of an embedding like that of an earlier one.',
                'current',
                logging.DEBUG,
            )
        return found._replace(embeddings=embeddings, **own._asdict())


def _peaks(blobs: ClassBlobs) -> Peaks:
    return Peaks(blobs.labels, blobs.points, blobs.scores)
