"""MMDetection's data preprocessor for samples that also hold instance maps."""

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
    and -1, ignore, where there is no image. Padding is on the right and below, so
    points and boxes stay.

    Args:
        *args: As for ``mmdet.DetDataPreprocessor``. Images of
            ``mmwsis.LoadCachedImage`` are RGB: leave ``bgr_to_rgb`` off.
        **kwargs: The same.
    """

    def pad_gt_sem_seg(self, batch_data_samples: Sequence[DetDataSample]) -> None:
        """Pad semantic and instance maps to ``batch_input_shape``, in place.

        Args:
            batch_data_samples: Samples of the batch.
        """
        super().pad_gt_sem_seg(batch_data_samples)
        for sample in batch_data_samples:
            if 'instance_map' not in sample.get('gt_panoptic_seg', ()):
                continue
            instance_map = sample.gt_panoptic_seg.instance_map
            height, width = instance_map.shape[-2:]
            rows, columns = sample.batch_input_shape
            padding = 0, columns - width, 0, rows - height
            padded = F.pad(instance_map, padding, value=IGNORED_INSTANCE)
            sample.gt_panoptic_seg = PixelData(instance_map=padded)
