"""Mean IoU of semantic predictions, with a panoptic file as the truth."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.logging import MMLogger

from mmwsis.formats.segment_maps import renumber
from mmwsis.formats.semantic_maps import IGNORE_INDEX
from mmwsis.registry import METRICS
from mmwsis.utils.arrays import to_numpy

from ..metric_tables import class_names, class_table
from ..semantic_iou import confusion_counts, semantic_quality
from .panoptic_metric import PanopticMetric


@METRICS.register_module()
class SemanticIoUMetric(PanopticMetric):
    """Mean IoU of things and stuff, by the classes of a panoptic file.

    Reports ``mIoU``, of things ``mIoU_th`` and of stuff ``mIoU_st``, from 0 to 1, over
    the classes that occur, and ``aAcc``, the share of right pixels. Void pixels are not
    judged; a crowd region is of its class. Numbers are those of ``mmseg.IoUMetric``,
    which needs the truth in every sample.

    Args:
        **kwargs: Arguments of :class:`PanopticMetric`.
    """

    default_prefix = 'semantic'

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Count the pixels of one batch.

        Args:
            data_batch: Not used.
            data_samples: ``DetDataSample`` as dictionaries, with ``img_id`` and
                ``pred_sem_seg.sem_seg`` (1, H, W): labels of things and stuff, 255
                where the class is left open, which counts as wrong.

        Raises:
            ValueError: A prediction cannot be judged; the message names the image.
        """
        label_of = {key: label for label, key in enumerate(self.category_ids)}
        for sample in data_samples:
            image_id = sample['img_id']
            where = f'image id {image_id!r}'
            pred = sample.get('pred_sem_seg') or {}
            labels = pred.get('sem_seg', pred.get('data'))
            if labels is None:
                raise ValueError(
                    f'{where}: the model returned no pred_sem_seg.sem_seg.'
                )
            labels = to_numpy(labels).astype(np.int64)
            gt_map, segments = self.truth.read_truth(image_id)
            wanted = {
                one['id']: label_of.get(one['category_id'], IGNORE_INDEX)
                for one in segments
            }
            counts = confusion_counts(
                renumber(gt_map, wanted, IGNORE_INDEX),
                labels.reshape(labels.shape[-2:]),
                len(label_of),
                where,
            )
            # Few pairs of classes occur in an image.
            pairs = np.flatnonzero(counts)
            self.results.append((image_id, pairs, counts.ravel()[pairs]))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Figures over the whole dataset.

        Args:
            results: One entry per image, of all ranks.

        Returns:
            Name -> value, 0 to 1.
        """
        classes = class_names(self)
        total = np.zeros(len(classes) * (len(classes) + 1), np.int64)
        # A sampler may repeat an image.
        unique = {image_id: (pairs, counts) for image_id, pairs, counts in results}
        for pairs, counts in unique.values():
            total[pairs] += counts
        quality = semantic_quality(total.reshape(len(classes), -1))
        table = class_table(classes, dict(IoU=quality.iou))
        MMLogger.get_current_instance().info('\n' + table)
        return {
            **self.group_means('mIoU', quality.iou),
            'aAcc': float(quality.accuracy),
        }
