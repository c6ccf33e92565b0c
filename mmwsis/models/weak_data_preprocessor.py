"""MMDetection's data preprocessor for samples with instance maps or centre targets."""

from collections.abc import Sequence

from mmdet.models.data_preprocessors import DetDataPreprocessor
from mmdet.structures import DetDataSample
from mmengine.structures import PixelData
from torch.nn import functional as F

from mmwsis.registry import MODELS

IGNORED_INSTANCE = -1


@MODELS.register_module()
class WeakDataPreprocessor(DetDataPreprocessor):
    """``mmdet.DetDataPreprocessor`` that pads instance maps with the semantic maps.

    With ``pad_seg=True``, images of a training batch that are smaller than the largest
    get semantic maps and ``gt_panoptic_seg.instance_map`` of the size of the batch: 255
    and -1, ignore, where there is no image. ``gt_center_targets`` gets weight 0 there.
    Padding is on the right and below, so points and boxes stay.

    ``gt_center_targets.centers`` comes from the loader with maps of the tagged classes
    alone (``mmwsis.GenerateCenterTargets``) and leaves with those of all classes,
    (C, H, W), made on the device.

    Args:
        *args: As for ``mmdet.DetDataPreprocessor``. Images of
            ``mmwsis.LoadCachedImage`` are RGB: leave ``bgr_to_rgb`` off.
        **kwargs: The same.
    """

    def forward(self, data: dict, training: bool = False) -> dict:
        """Prepare one batch.

        Args:
            data: ``inputs``: B tensors ``(3, H, W)``; ``data_samples``: B samples or
                None.
            training: Whether to pad labels, too. Defaults to False.

        Returns:
            The same with ``inputs`` normalised, ``(B, 3, H, W)``.
        """
        data = super().forward(data, training)
        for sample in data['data_samples'] or ():
            if 'gt_center_targets' in sample:
                _add_untagged_maps(sample)
        return data

    def pad_gt_sem_seg(self, batch_data_samples: Sequence[DetDataSample]) -> None:
        """Pad maps and centre targets to ``batch_input_shape``, in place.

        Args:
            batch_data_samples: Samples of the batch.
        """
        super().pad_gt_sem_seg(batch_data_samples)
        for sample in batch_data_samples:
            if 'instance_map' in sample.get('gt_panoptic_seg', ()):
                _pad(sample, 'gt_panoptic_seg', IGNORED_INSTANCE)
            if 'gt_center_targets' in sample:
                _pad(sample, 'gt_center_targets', 0)


def _pad(sample: DetDataSample, field: str, value: float) -> None:
    maps = sample.get(field)
    height, width = maps.shape
    rows, columns = sample.batch_input_shape
    padding = 0, columns - width, 0, rows - height
    padded = {key: F.pad(one, padding, value=value) for key, one in maps.items()}
    setattr(sample, field, PixelData(**padded))


def _add_untagged_maps(sample: DetDataSample) -> None:
    """Put the centre maps of the tagged classes among empty ones of the others."""
    targets = sample.gt_center_targets
    centers, num_classes = targets.centers, len(sample.gt_tags)
    if len(centers) == num_classes:
        return
    maps = centers.new_zeros(num_classes, *centers.shape[1:])
    maps[sorted(set(sample.tags))] = centers
    sample.gt_center_targets = PixelData(
        centers=maps, offsets=targets.offsets, weights=targets.weights
    )
