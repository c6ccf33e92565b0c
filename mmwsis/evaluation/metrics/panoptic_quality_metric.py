"""Panoptic quality of models, without panopticapi."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmdet.evaluation.functional import INSTANCE_OFFSET
from mmengine.logging import MMLogger

from mmwsis.registry import METRICS
from mmwsis.utils.arrays import to_numpy

from ..metric_tables import class_table
from ..panoptic_quality import (
    VOID,
    category_quality,
    joint_areas,
    panoptic_counts,
    quality_figures,
)
from .panoptic_metric import PanopticMetric


@METRICS.register_module()
class PanopticQualityMetric(PanopticMetric):
    """PQ, SQ and RQ for all categories, things and stuff.

    Reports ``PQ``, ``SQ``, ``RQ`` and the same as ``PQ_th`` and ``PQ_st`` and so on,
    from 0 to 1: means over the categories that occur in the ground truth or in the
    predictions. A group without such a category is NaN. The numbers are those of the
    official code, including its rules for void and crowd regions.

    Args:
        ann_file: COCO panoptic JSON of the ground truth.
        seg_prefix: Folder of its PNGs.
        classwise: Also report ``PQ_<class>``; the log has the table in any case.
        **kwargs: Arguments of :class:`PanopticMetric`.
    """

    def __init__(
        self,
        ann_file: str,
        seg_prefix: str,
        classwise: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(ann_file, seg_prefix, **kwargs)
        self.classwise = classwise

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Count the segments of one batch.

        Args:
            data_batch: Not used.
            data_samples: ``DetDataSample`` as dictionaries, with ``img_id`` and
                ``pred_panoptic_seg.sem_seg`` (1, H, W): label + 1000 * instance, the
                number of classes or ``ignore_index`` for void.

        Raises:
            ValueError: A prediction cannot be judged; the message names the image.
        """
        category_ids = self.category_ids
        for sample in data_samples:
            image_id = sample['img_id']
            pred_map, segments = predicted_segments(sample, category_ids)
            gt_map, gt_segments = self.truth.read_truth(image_id)
            counts = panoptic_counts(
                gt_map,
                pred_map,
                gt_segments,
                segments,
                list(self.truth.categories),
                f'image id {image_id!r}',
            )
            # Few of the categories occur in an image: only their rows are kept.
            rows = np.flatnonzero(counts.any(axis=1))
            self.results.append((image_id, rows, counts[rows]))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Figures over the whole dataset.

        Args:
            results: One entry per image, of all ranks.

        Returns:
            Name -> value, 0 to 1.
        """
        total = np.zeros((len(self.truth.categories), 4))
        # A sampler may repeat an image.
        unique = {image_id: (rows, counts) for image_id, rows, counts in results}
        for rows, counts in unique.values():
            total[rows] += counts
        names = [entry['name'] for entry in self.truth.categories.values()]
        quality = category_quality(total)
        shown = np.flatnonzero(~np.isnan(quality[:, 0]))
        MMLogger.get_current_instance().info(
            '\n'
            + class_table(
                [names[index] for index in shown],
                dict(zip(('PQ', 'SQ', 'RQ'), quality[shown].T)),
            )
        )
        metrics = quality_figures(total, self.truth.is_thing)
        if self.classwise:
            for name, value in zip(names, quality[:, 0]):
                metrics[f'PQ_{name}'] = float(value)
        return metrics


def predicted_segments(
    sample: Mapping[str, Any], category_ids: Sequence[int]
) -> tuple[np.ndarray, list[dict[str, int]]]:
    """Segments of a predicted sample, in the form of COCO.

    Args:
        sample: Data sample as a dictionary.
        category_ids: Category id of every class.

    Returns:
        ``(H, W)`` int64 segment ids, 0 void, and ``segments_info``.

    Raises:
        ValueError: There is no panoptic prediction, or a label that is no class.
    """
    where = f'image id {sample.get("img_id")!r}'
    pred = sample.get('pred_panoptic_seg')
    if pred is None or 'sem_seg' not in pred:
        raise ValueError(
            f'{where}: no pred_panoptic_seg.sem_seg. This metric is about panoptic '
            'predictions; does test_cfg of the model ask for them (panoptic_on=True)?'
        )
    codes = to_numpy(pred['sem_seg'])
    if not np.isfinite(codes).all() or codes.size and codes.min() < 0:
        raise ValueError(
            f'{where}: the panoptic prediction holds values that are no label + '
            f'{INSTANCE_OFFSET} * instance: negative or not finite.'
        )
    codes = codes.reshape(codes.shape[-2:]).astype(np.int64)
    void_labels = {len(category_ids), pred.get('ignore_index', len(category_ids))}
    present, _, _ = joint_areas(codes, np.zeros_like(codes))
    labels = present % INSTANCE_OFFSET
    is_void = np.isin(labels, list(void_labels))
    unknown = labels[~is_void & (labels >= len(category_ids))]
    if len(unknown):
        raise ValueError(
            f'{where}: the panoptic prediction has the label {int(unknown[0])}; labels '
            f'must be 0 to {len(category_ids) - 1}, one per class of the dataset.'
        )
    # Code 0 is the first class, which is not to be taken for void: one is added.
    segment_map = np.where(
        np.isin(codes % INSTANCE_OFFSET, list(void_labels)), VOID, codes + 1
    )
    segments = [
        dict(id=int(code) + 1, category_id=category_ids[label])
        for code, label in zip(present[~is_void], labels[~is_void])
    ]
    return segment_map, segments
