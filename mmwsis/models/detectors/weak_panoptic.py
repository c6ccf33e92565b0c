"""Things and stuff, pixel by pixel, from boxes, tags and the detections of others."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from mmdet.structures import DetDataSample
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from mmseg.utils import add_prefix
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from mmwsis.formats.segment_maps import ENCODINGS
from mmwsis.models.heads import AssignedPixels
from mmwsis.models.labelers.label_refinement import LabelRefinement
from mmwsis.models.original_size import labels_at_original_size
from mmwsis.models.rgb_image import rgb_image
from mmwsis.ops import assigned_segments, segment_ious
from mmwsis.ops.tensor_checks import as_integer, as_number, check_choice
from mmwsis.registry import MODELS

from .end_to_end_detector import EndToEndDetector
from .finite_maps import check_finite_maps
from .predictions import fill_instances, fill_panoptic
from .true_segments import true_segments

RANKINGS = ('det', 'mean_conf', 'oracle')


@MODELS.register_module()
class WeakPanoptic(EndToEndDetector):
    """Weakly- and semi-supervised panoptic segmentation of Li, Arnab and Torr.

    `ECCV 2018 <https://arxiv.org/abs/1808.03575>`__.

    A semantic network gives every pixel probabilities of the classes. An instance
    sub-network then shares the pixels out among detections, one for every object that a
    detector found and one for every stuff class (section 3.4): segments do not overlap,
    and no gradient reaches the detector. Labels of training images are computed from
    boxes and tags, then from what the semantic network made of them (section 3.3).

    Without ``instance_head`` this is the semantic network, which is trained first.
    With it the whole is finetuned end to end, from the weights of that; these alone, in
    this config, are the paper's piecewise inference.

    Args:
        num_things_classes: Number of things; their labels are the first.
        num_stuff_classes: Number of stuff classes, at least 1.
        backbone: Config.
        decode_head: Config of a head of MMSegmentation such as ``mmseg.PSPHead``. Its
            ``num_classes`` are set here.
        auxiliary_head: Likewise, trained along. Defaults to None.
        instance_head: Config of ``mmwsis.InstanceCRFHead``, whose numbers of classes
            are set here. Defaults to None.
        loss_instance: Config of a loss of (probabilities, classes of the detections,
            true segments, their classes). Defaults to None:
            ``mmwsis.MatchedSegmentLoss``.
        semantic_weight: Factor of the heads' losses beside ``loss_instance``, of which
            the paper says nothing; 0 is ``loss_instance`` alone. Defaults to 1.0.
        norm_eval: Whether all batch norms use stored statistics in training, those of
            the weights that it begins with. Defaults to True.
        test_cfg: ``thing_score`` and ``stuff_score``, how Table 5 ranks segments: 'det'
            is the detection's score, 1 for stuff; 'mean_conf' the mean probability of
            its pixels; 'oracle' the IoU with the best true segment of its class, which
            the pipeline has to load; ``num_iters``: updates of mean field;
            ``refinement``: settings of :class:`mmwsis.models.labelers.LabelRefinement`:
            when training images get labels ('panoptic_maps'), these are what it makes
            of the semantic probabilities (section 3.3); None: of the instance
            sub-network. Defaults to None: 'det', 'mean_conf', 10 and None.
        data_preprocessor: Config of ``mmdet.DetDataPreprocessor``, with the mean and
            standard deviation of the inputs. Defaults to None.
        init_cfg: Initialisation of the whole; the parts have their own. Defaults to
            None.

    Raises:
        ValueError: An unknown key or value in ``test_cfg``, or numbers out of range.

    Example:
        >>> import torch
        >>> from mmengine.structures import InstanceData
        >>> model = WeakPanoptic(
        ...     num_things_classes=2, num_stuff_classes=1,
        ...     backbone=dict(type='mmdet.ResNet', depth=18, num_stages=1,
        ...                   strides=(1,), dilations=(1,), out_indices=(0,)),
        ...     decode_head=dict(type='mmseg.FCNHead', in_channels=64, channels=8,
        ...                      num_convs=1, in_index=0,
        ...                      loss_decode=dict(type='mmseg.CrossEntropyLoss')),
        ...     instance_head=dict(type='mmwsis.InstanceCRFHead'),
        ...     data_preprocessor=dict(type='mmdet.DetDataPreprocessor',
        ...                            mean=[128] * 3, std=[64] * 3))
        >>> _ = model.eval()
        >>> sample = DetDataSample(
        ...     metainfo=dict(img_id=1, img_shape=(32, 48), ori_shape=(32, 48)))
        >>> sample.detections = InstanceData(
        ...     bboxes=torch.tensor([[8.0, 8.0, 30.0, 20.0]]), labels=torch.tensor([1]),
        ...     scores=torch.tensor([0.8]))
        >>> (sample,) = model(torch.rand(1, 3, 32, 48), [sample], mode='predict')
        >>> sample.pred_panoptic_seg.sem_seg.shape, sample.pred_sem_seg.sem_seg.shape
        (torch.Size([1, 32, 48]), torch.Size([1, 32, 48]))
    """

    artifacts = ('panoptic_maps', 'semantic_maps', 'instances')
    # Without weights of its own the instance sub-network is the paper's piecewise one.
    unused_in_prediction = ('auxiliary_head.', 'instance_head.')
    report_picture = dict(
        title='Semantic map, detections and panoptic segments',
        tool='tools/analysis_tools/show_panoptic.py',
        needs='instance_head',
    )
    test_defaults: ClassVar[dict[str, Any]] = dict(
        thing_score='det', stuff_score='mean_conf', num_iters=10, refinement=None
    )

    def __init__(
        self,
        num_things_classes: int,
        num_stuff_classes: int,
        backbone: dict,
        decode_head: dict,
        auxiliary_head: dict | None = None,
        instance_head: dict | None = None,
        loss_instance: dict | None = None,
        semantic_weight: float = 1.0,
        norm_eval: bool = True,
        test_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(backbone, None, test_cfg, data_preprocessor, init_cfg)
        self.num_things = as_integer('num_things_classes', num_things_classes, 0)
        num_stuff = as_integer('num_stuff_classes', num_stuff_classes, 1)
        self.num_classes = self.num_things + num_stuff
        self.semantic_weight = as_number('semantic_weight', semantic_weight, '[0, inf)')
        self.norm_eval = norm_eval
        self._check_test_cfg()
        count = dict(num_classes=self.num_classes)
        self.decode_head = MODELS.build({**decode_head, **count})
        self.auxiliary_head = self.instance_head = None
        if auxiliary_head:
            self.auxiliary_head = MODELS.build({**auxiliary_head, **count})
        if instance_head:
            counts = dict(
                num_things_classes=self.num_things, num_stuff_classes=num_stuff
            )
            self.instance_head = MODELS.build({**instance_head, **counts})
            self.loss_instance = MODELS.build(
                loss_instance or dict(type='mmwsis.MatchedSegmentLoss')
            )

    def _check_test_cfg(self) -> None:
        for key in ('thing_score', 'stuff_score'):
            check_choice(f'test_cfg.{key}', self.test_cfg[key], RANKINGS)
        as_integer('test_cfg.num_iters', self.test_cfg['num_iters'], 0)
        settings = self.test_cfg['refinement']
        self.refinement = None
        if settings is not None:
            counts = self.num_things, self.num_classes - self.num_things
            self.refinement = LabelRefinement(*counts, **settings)

    def train(self, mode: bool = True) -> 'WeakPanoptic':
        """Switch the mode; batch norms stay in evaluation mode with ``norm_eval``.

        Args:
            mode: Whether to train. Defaults to True.
        """
        super().train(mode)
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def _forward(self, batch_inputs: Tensor, batch_data_samples: Any = None) -> Tensor:
        """Logits of the semantic network, ``(B, C, h, w)``."""
        return self.decode_head(self.extract_feat(batch_inputs))

    def loss(
        self, batch_inputs: Tensor, batch_data_samples: Sequence[DetDataSample]
    ) -> dict[str, Tensor]:
        """Losses of one batch of crops.

        Args:
            batch_inputs: ``(B, 3, H, W)``, normalised.
            batch_data_samples: B samples with ``gt_sem_seg.sem_seg`` (1, H, W), labels
                of things, then stuff, 255 ignore. With an ``instance_head`` also with
                ``detections`` of ``mmwsis.LoadDetections``, and what
                :func:`~mmwsis.models.detectors.true_segments` reads.

        Returns:
            Those of the heads, as MMSegmentation names them, and ``loss_instance``, the
            mean over the images. A crop without a labelled pixel has losses of 0.

        Raises:
            FloatingPointError: The network's output is not finite; the message names
                the images.
            ValueError: A sample lacks something; the message names the image.
        """
        features = self.extract_feat(batch_inputs)
        logits = self.decode_head(features)
        check_finite_maps(dict(logits=logits), batch_data_samples)
        maps = [
            SegDataSample(gt_sem_seg=PixelData(data=sample.gt_sem_seg.sem_seg.long()))
            for sample in batch_data_samples
        ]
        losses = self._semantic_losses('decode', self.decode_head, logits, maps)
        if self.auxiliary_head is not None:
            head = self.auxiliary_head
            losses |= self._semantic_losses('aux', head, head(features), maps)
        if self.instance_head is not None:
            size = batch_inputs.shape[2:]
            terms = [
                self._instance_loss(image, own, sample)
                for image, own, sample in zip(
                    batch_inputs, self._enlarged(logits, size), batch_data_samples
                )
            ]
            losses['loss_instance'] = torch.stack(terms).mean()
        return losses

    def _semantic_losses(
        self,
        name: str,
        head: nn.Module,
        logits: Tensor,
        maps: Sequence[SegDataSample],
    ) -> dict[str, Tensor]:
        losses = head.loss_by_feat(logits, maps)
        if self.instance_head is not None:
            losses = {
                key: self.semantic_weight * value if 'loss' in key else value
                for key, value in losses.items()
            }
        return add_prefix(losses, name)

    def _instance_loss(
        self, image: Tensor, logits: Tensor, sample: DetDataSample
    ) -> Tensor:
        """Loss of one image; ``logits`` (C, H, W) are of the size of the batch."""
        height, width = size = tuple(sample.img_shape[:2])
        probs = logits[:, :height, :width].softmax(0)
        assigned = self._assigned(image[:, :height, :width], probs, sample)
        truth = true_segments(sample, self.num_things, self.num_classes, size)
        return self.loss_instance(
            assigned.probs, assigned.labels, truth.segments, truth.labels
        )

    def _enlarged(self, logits: Tensor, size: Sequence[int]) -> Tensor:
        """Float32 logits ``(B, C, *size)``."""
        align_corners = self.decode_head.align_corners
        return F.interpolate(
            logits.float(), tuple(size), mode='bilinear', align_corners=align_corners
        )

    def _assigned(
        self,
        image: Tensor,
        probs: Tensor,
        sample: DetDataSample,
        num_iters: int | None = None,
    ) -> AssignedPixels:
        """Share the pixels of an image out among its detections."""
        if 'detections' not in sample:
            raise ValueError(
                f'image id {sample.get("img_id")!r} has no detections, which '
                'instance_head assigns pixels to: load them by mmwsis.LoadDetections.'
            )
        found = sample.detections
        number = len(found.scores) + self.num_classes - self.num_things
        if number > ENCODINGS['grey16']:
            raise ValueError(
                f'image id {sample.get("img_id")!r}: {len(found.scores)} detections '
                f'and its classes of stuff are {number} segments, but a map of them '
                f'holds {ENCODINGS["grey16"]}; set max_per_img of '
                'mmwsis.LoadDetections.'
            )
        colours = rgb_image(image, self.data_preprocessor).permute(1, 2, 0)
        # No gradient reaches the detector.
        scores, boxes = found.scores.detach(), found.bboxes.detach()
        return self.instance_head(
            *(probs, found.labels, scores, boxes, colours), num_iters
        )

    def predict_image(self, image: Tensor, sample: DetDataSample) -> None:
        """Fill the predictions of one image.

        Without ``instance_head`` that is ``pred_sem_seg``; with it also
        ``pred_panoptic_seg``, ``pred_segments`` with their scores, and
        ``pred_instances``, the segments of things. ``pred_sem_seg`` then has the
        classes of the segments.

        Args:
            image: ``(3, h, w)``, normalised.
            sample: With the metainfo ``img_shape`` and ``ori_shape``; with an
                ``instance_head`` also ``detections``; for 'oracle' the true segments,
                and for ``refinement`` what :class:`LabelRefinement` reads.

        Raises:
            FloatingPointError: The network's output is not finite.
            ValueError: The sample lacks something, or labels of segments are asked of
                a network that tells none apart; the message names the image.
        """
        refines = self.artifact == 'panoptic_maps' and self.refinement is not None
        if self.instance_head is None or refines:
            probs = self.semantic_probs(image, sample, sample.ori_shape[:2])
            if refines:
                size = tuple(sample.ori_shape[:2])
                colours = rgb_image(image, self.data_preprocessor, size)
                self.refinement(colours, probs, sample)
            elif self.artifact in (None, 'semantic_maps'):
                labels = probs.max(0, keepdim=True).indices  # faster than argmax
                sample.pred_sem_seg = PixelData(sem_seg=labels)
            else:
                raise ValueError(
                    f'{self.artifact!r} of a semantic network need an instance_head, '
                    "or as 'panoptic_maps' model.test_cfg.refinement."
                )
            return
        probs = self.semantic_probs(image, sample, image.shape[1:])
        iters = self.test_cfg['num_iters']
        assigned = self._assigned(image, probs, sample, iters)
        self._fill(assigned, sample)

    def semantic_probs(
        self, image: Tensor, sample: DetDataSample, size: Sequence[int]
    ) -> Tensor:
        """What the semantic network says of an image.

        Args:
            image: ``(3, h, w)``, normalised.
            sample: Named in messages.
            size: (H, W) of the result.

        Returns:
            Probabilities ``(C, H, W)``, float32.

        Raises:
            FloatingPointError: The network's output is not finite.
        """
        logits = self._forward(image[None])
        check_finite_maps(dict(logits=logits), [sample])
        return self._enlarged(logits, size)[0].softmax(0)

    def _fill(self, assigned: AssignedPixels, sample: DetDataSample) -> None:
        """Write the segments, at the size of the original image."""
        probs, labels, scores = assigned
        found = assigned_segments(probs)
        segments = labels_at_original_size(found.segments[None], sample)[0]
        is_thing = labels < self.num_things
        by_name = dict(det=scores, mean_conf=found.confidences)
        chosen = [self.test_cfg[key] for key in ('thing_score', 'stuff_score')]
        if 'oracle' in chosen:
            by_name['oracle'] = self._oracle(segments, labels, sample)
        things, stuff = (by_name[name].to(scores.dtype) for name in chosen)
        scores = torch.where(is_thing, things, stuff)
        # Those without a pixel are left out.
        kept = segments.flatten().bincount(minlength=len(labels)) > 0
        rows = kept.cumsum(0) - 1
        segments, labels, scores = rows[segments], labels[kept], scores[kept]
        counts = self.num_things, self.num_classes
        fill_panoptic(sample, segments, labels, *counts, scores)
        sample.pred_sem_seg = PixelData(sem_seg=labels[segments][None])
        things = is_thing[kept].nonzero().flatten()
        masks = segments == things[:, None, None]
        fill_instances(sample, labels[things], scores[things], masks)

    def _oracle(
        self, segments: Tensor, labels: Tensor, sample: DetDataSample
    ) -> Tensor:
        """IoU of every segment with the best true one of its class."""
        counts, size = (self.num_things, self.num_classes), tuple(segments.shape)
        truth = true_segments(sample, *counts, size)
        ious = segment_ious(
            truth.segments.to(segments.device),
            truth.labels.to(labels.device),
            *(segments, labels),
        )
        # A row of zeros, for images without a segment.
        return torch.cat([ious, ious.new_zeros(1, len(labels))]).amax(0)
