"""Labelers without weights: what stored CAMs already say."""

from abc import abstractmethod
from typing import Any, ClassVar

import torch
from mmengine.structures import BaseDataElement, InstanceData, PixelData
from torch import Tensor

from mmwsis.models.original_size import labels_at_original_size
from mmwsis.ops import BestChannels, split_components
from mmwsis.ops.relation_labels import relation_labels, threshold_argmax
from mmwsis.registry import MODELS

from .weight_free_labeler import WeightFreeLabeler


class ClassMapLabeler(WeightFreeLabeler):
    """A labeler without weights that reads stored CAMs.

    The data pipeline is ``LoadCachedImage``, ``LoadClassMaps`` with the map
    ``high_res``, ``PackWeakInputs``. A subclass has :meth:`label_maps`.
    """

    def label(self, image: Tensor, sample: BaseDataElement) -> None:
        """Label the maps of one image.

        Args:
            image: uint8 ``(3, H, W)``.
            sample: With ``class_maps``: ``labels`` (K,) and ``high_res`` (K, H, W).

        Raises:
            ValueError: Maps of another size than the image.
        """
        maps = sample.class_maps.high_res.float()
        size = tuple(image.shape[-2:])
        if tuple(maps.shape[1:]) != size:
            raise ValueError(
                f'image id {sample.get("img_id")!r}: the class maps high_res are '
                f'{tuple(maps.shape[1:])}, the image is {size} (height, width).'
            )
        self.label_maps(image, maps, sample.class_maps.labels, sample)

    @abstractmethod
    def label_maps(
        self, image: Tensor, maps: Tensor, labels: Tensor, sample: BaseDataElement
    ) -> None:
        """Fill the predictions of one image.

        Args:
            image: uint8 ``(3, H, W)``.
            maps: float32 ``(K, H, W)`` in [0, 1].
            labels: int64 ``(K,)``.
            sample: Receives the prediction.
        """


@MODELS.register_module()
class RelationLabeler(ClassMapLabeler):
    """Inter-pixel relation labels, the targets of :class:`IRNet`.

    The pseudo class map of section 4.2 of `IRNet <https://arxiv.org/abs/1904.05044>`_:
    pixels with high attention scores are foreground, those with low ones background,
    both refined by a dense CRF; the rest is ignored. Makes the artifact
    'semantic_maps': 0 is background, ``k + 1`` class ``k``, 255 ignore; see
    :func:`mmwsis.ops.relation_labels.relation_labels`. ``test_cfg`` are its
    ``foreground_threshold`` (default 0.30), ``background_threshold`` (0.05) and
    ``crf`` ('irnet').

    Example:
        >>> import torch
        >>> from mmengine.structures import BaseDataElement, InstanceData
        >>> image = torch.zeros(3, 24, 32, dtype=torch.uint8)
        >>> image[:, :, 16:] = 200  # the object is the right half
        >>> cam = torch.zeros(1, 24, 32)
        >>> cam[..., 20:] = 0.9  # its CAM is smaller
        >>> sample = BaseDataElement(
        ...     class_maps=InstanceData(labels=torch.tensor([6]), high_res=cam))
        >>> (labelled,) = RelationLabeler()([image], [sample])
        >>> labelled.pred_sem_seg.sem_seg[0].unique()
        tensor([0, 7], dtype=torch.uint8)
    """

    artifacts = ('semantic_maps',)
    test_defaults: ClassVar[dict[str, Any]] = dict(
        foreground_threshold=0.30, background_threshold=0.05, crf='irnet'
    )

    def label_maps(
        self, image: Tensor, maps: Tensor, labels: Tensor, sample: BaseDataElement
    ) -> None:
        """Fill ``pred_sem_seg``; see the base class."""
        pixels = image.permute(1, 2, 0)  # (H, W, 3), as the CRF takes them
        found = relation_labels(pixels, maps, labels, **self.test_cfg)
        sample.pred_sem_seg = PixelData(sem_seg=_own_size(found[None], sample))


@MODELS.register_module()
class ClassMapComponents(ClassMapLabeler):
    """Connected components of the CAMs as instances: the baseline of IRNet.

    Every pixel belongs to the class whose map is highest there, if it exceeds
    ``threshold``; every 4-connected component is an instance that scores its highest
    value, 0 if it covers less than ``min_area`` of the image. Components are scored as
    IRNet's are, so the two compare ('CAM' in its Table 1). Makes the artifact
    'instances'. ``test_cfg`` are ``threshold`` (default 0.25) and ``min_area`` (0.01).

    Example:
        >>> import torch
        >>> from mmengine.structures import BaseDataElement, InstanceData
        >>> image = torch.zeros(3, 8, 12, dtype=torch.uint8)
        >>> cam = torch.zeros(1, 8, 12)
        >>> cam[0, 2:6, 1:4], cam[0, 2:6, 8:11] = 0.5, 0.75
        >>> sample = BaseDataElement(
        ...     class_maps=InstanceData(labels=torch.tensor([6]), high_res=cam))
        >>> (labelled,) = ClassMapComponents()([image], [sample])
        >>> found = labelled.pred_instances
        >>> found.labels.tolist(), found.scores.tolist(), found.masks.shape
        ([6, 6], [0.5, 0.75], torch.Size([2, 8, 12]))
    """

    artifacts = ('instances',)
    test_defaults: ClassVar[dict[str, Any]] = dict(threshold=0.25, min_area=0.01)

    def label_maps(
        self, image: Tensor, maps: Tensor, labels: Tensor, sample: BaseDataElement
    ) -> None:
        """Fill ``pred_instances``; see the base class."""
        # The best class of every pixel, background where none exceeds the threshold.
        threshold = self.test_cfg['threshold']
        index = threshold_argmax(maps, threshold)
        score = torch.cat([maps.new_full((1, *maps.shape[1:]), threshold), maps])
        best = BestChannels(index, score.amax(0))
        # Its connected components, scored.
        found = split_components(best, labels, None, self.test_cfg['min_area'])
        sample.pred_instances = InstanceData(
            labels=found.labels,
            scores=found.scores,
            masks=_own_size(found.masks, sample),
        )


def _own_size(maps: Tensor, sample: BaseDataElement) -> Tensor:
    """Labels of the photograph's pixels, where a transform has resized it."""
    return labels_at_original_size(maps, sample) if 'ori_shape' in sample else maps
