"""Labelers without weights: what stored CAMs already say."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement, InstanceData, PixelData
from torch import Tensor

from mmwsis.ops import BestChannels, split_components
from mmwsis.ops.relation_labels import relation_labels, threshold_argmax
from mmwsis.registry import MODELS

from .prediction_settings import filled_test_cfg


class ClassMapLabeler(BaseModel):
    """A labeler that reads stored CAMs and has no weights of its own.

    ``tools/generate_pseudo_labels.py`` runs it without a checkpoint, so that it has
    ranks, shards, progress and resumption like any other.

    The data pipeline is ``LoadCachedImage``, ``LoadClassMaps`` with the map
    ``high_res``, ``PackWeakInputs``.

    Args:
        test_cfg: Settings; a subclass says which, with defaults. Defaults to None.
        data_preprocessor: Config; if None, images are moved to the device as they are.
            Defaults to None.

    Raises:
        ValueError: An unknown key in ``test_cfg``.
    """

    defaults: ClassVar[dict[str, Any]] = {}

    def __init__(
        self, test_cfg: dict | None = None, data_preprocessor: dict | None = None
    ) -> None:
        super().__init__(data_preprocessor)
        self.test_cfg = filled_test_cfg(test_cfg, self.defaults)

    def forward(
        self,
        inputs: Sequence[Tensor],
        data_samples: Sequence[BaseDataElement] | None = None,
        mode: str = 'predict',
    ) -> Sequence[BaseDataElement]:
        """Label a batch.

        Args:
            inputs: B images uint8 ``(3, H, W)``, RGB.
            data_samples: B samples with ``class_maps``: ``labels`` (K,) and
                ``high_res`` (K, H, W). Defaults to None, which no mode takes.
            mode: 'predict'; there is nothing to train. Defaults to 'predict'.

        Returns:
            The samples with predictions.

        Raises:
            ValueError: Another mode, or maps of another size than the image.
        """
        if mode != 'predict':
            raise ValueError(
                f"{type(self).__name__} has no weights: mode must be 'predict', got "
                f'{mode!r}.'
            )
        for image, sample in zip(inputs, data_samples, strict=True):
            maps = sample.class_maps.high_res.float()
            size = tuple(image.shape[-2:])
            if tuple(maps.shape[1:]) != size:
                raise ValueError(
                    f'image id {sample.get("img_id")!r}: the class maps high_res are '
                    f'{tuple(maps.shape[1:])}, the image is {size} (height, width).'
                )
            self.label(image, maps, sample.class_maps.labels, sample)
        return data_samples

    @abstractmethod
    def label(
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

    artifact = 'semantic_maps'
    defaults: ClassVar[dict[str, Any]] = dict(
        foreground_threshold=0.30, background_threshold=0.05, crf='irnet'
    )

    def label(
        self, image: Tensor, maps: Tensor, labels: Tensor, sample: BaseDataElement
    ) -> None:
        """Fill ``pred_sem_seg``; see the base class."""
        pixels = image.permute(1, 2, 0)  # (H, W, 3), as the CRF takes them
        found = relation_labels(pixels, maps, labels, **self.test_cfg)
        sample.pred_sem_seg = PixelData(sem_seg=found[None])


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

    artifact = 'instances'
    defaults: ClassVar[dict[str, Any]] = dict(threshold=0.25, min_area=0.01)

    def label(
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
            labels=found.labels, scores=found.scores, masks=found.masks
        )
