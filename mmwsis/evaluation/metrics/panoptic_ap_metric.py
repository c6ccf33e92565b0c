"""AP^r of panoptic predictions: their segments, ranked by score."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.logging import MMLogger

from mmwsis.formats.segment_maps import VOID
from mmwsis.registry import METRICS
from mmwsis.utils.arrays import to_numpy

from ..instance_ground_truth import ImageObjects
from ..instance_matching import ImageMatch, match_image
from ..instance_tables import instance_tables
from ..mask_bits import pack_masks
from ..metric_tables import class_names, class_table
from ..predicted_instances import PredictedInstances
from .panoptic_metric import PanopticMetric
from .panoptic_quality_metric import predicted_segments


@METRICS.register_module()
class PanopticAPMetric(PanopticMetric):
    """AP^r and AP^r_vol of the segments of a panoptic prediction, things and stuff.

    The numbers of :class:`VOCInstanceMetric` of the same names: ``APr_50`` to
    ``APr_90``, ``APr_vol`` (mean over 0.1 to 0.9 in steps of 0.1, PASCAL VOC) and
    ``APr_vol_50_95`` (0.5 to 0.95 in steps of 0.05, Cityscapes), from 0 to 1: means
    over the classes that have a segment, and the same of things, ``_th``, and stuff,
    ``_st``. Every segment of the truth is an object, all of a stuff class in an image
    being one. Void pixels and crowd regions are taken out of the predictions.

    Source: `Li et al. <https://arxiv.org/abs/1808.03575>`_, Tables 2, 4 and 5.

    Args:
        ann_file: COCO panoptic JSON of the ground truth.
        seg_prefix: Folder of its PNGs.
        apr_thrs: Thresholds of ``APr_<percent>``. Defaults to 0.5 to 0.9.
        **kwargs: Arguments of :class:`PanopticMetric`.

    Raises:
        ValueError: Thresholds outside (0, 1].
    """

    def __init__(
        self,
        ann_file: str,
        seg_prefix: str,
        apr_thrs: Sequence[float] = (0.5, 0.6, 0.7, 0.8, 0.9),
        **kwargs: Any,
    ) -> None:
        if not all(0 < value <= 1 for value in apr_thrs):
            raise ValueError(f'apr_thrs must lie in (0, 1], got {tuple(apr_thrs)}.')
        super().__init__(ann_file, seg_prefix, **kwargs)
        self.apr_thrs = tuple(apr_thrs)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Match the segments of one batch.

        Args:
            data_batch: Not used.
            data_samples: ``DetDataSample`` as dictionaries, with ``img_id``,
                ``pred_panoptic_seg.sem_seg`` (1, H, W), label + 1000 * instance, and
                ``pred_segments``: ``codes`` (S,) of the map and ``scores`` (S,).

        Raises:
            ValueError: A prediction cannot be judged; the message names the image.
        """
        category_ids = self.category_ids
        label_of = {key: label for label, key in enumerate(category_ids)}
        for sample in data_samples:
            image_id = sample['img_id']
            pred_map, segments = predicted_segments(sample, category_ids)
            gt_map, truth = self.truth.read_truth(image_id)
            if pred_map.shape != gt_map.shape:
                raise ValueError(
                    f'image id {image_id!r}: the panoptic prediction has (height, '
                    f'width) {pred_map.shape}, the ground truth {gt_map.shape}.'
                )
            match = match_image(
                _predictions(sample, pred_map, segments, label_of),
                _objects(gt_map, truth, label_of),
            )
            self.results.append((image_id, *match))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Figures over the whole dataset.

        Args:
            results: One entry per image, of all ranks.

        Returns:
            Name -> value, 0 to 1.
        """
        # A sampler may repeat an image; mmengine's collection makes tuples plain.
        unique = {item[0]: ImageMatch(*item[1:]) for item in results}
        classes = class_names(self)
        tables = instance_tables(
            [*unique.values()], len(classes), iou_thrs=(), apr_thrs=self.apr_thrs
        )
        tables = {name: own for name, own in tables.items() if name.startswith('APr')}
        MMLogger.get_current_instance().info('\n' + class_table(classes, tables))
        return {
            key: value
            for name, values in tables.items()
            for key, value in self.group_means(name, values).items()
        }


def _predictions(
    sample: Mapping[str, Any],
    pred_map: np.ndarray,
    segments: Sequence[Mapping[str, int]],
    label_of: Mapping[int, int],
) -> PredictedInstances:
    """Segments with their scores; ids are codes of the map plus 1."""
    where = f'image id {sample.get("img_id")!r}'
    table = sample.get('pred_segments')
    if table is None:
        raise ValueError(
            f'{where}: the model returned no pred_segments, by whose scores AP ranks '
            'segments. Panoptic models of MMDetection have none; measure them with '
            'mmwsis.PanopticQualityMetric.'
        )
    codes, scores = (to_numpy(table[key]) for key in ('codes', 'scores'))
    score_of = dict(zip(codes.tolist(), scores.astype(np.float64).tolist()))
    listed = [segment['id'] for segment in segments]
    lacking = [key - 1 for key in listed if key - 1 not in score_of]
    if lacking or not np.isfinite(scores).all():
        raise ValueError(
            f'{where}: pred_segments must have a finite score for every code of the '
            f'map; there is none for {lacking[:5]}, the scores are '
            f'{scores.tolist()[:8]}.'
        )
    masks = pred_map == np.array(listed, np.int64)[:, None, None]
    labels = [label_of[segment['category_id']] for segment in segments]
    return PredictedInstances(
        pack_masks(masks, pred_map.shape),
        np.array(labels, np.int64),
        np.array([score_of[key - 1] for key in listed], np.float64),
    )


def _objects(
    gt_map: np.ndarray,
    truth: Sequence[Mapping[str, Any]],
    label_of: Mapping[int, int],
) -> ImageObjects:
    """Segments of the truth; void is what is of none."""
    own = [one for one in truth if one['area'] and one['category_id'] in label_of]
    ids = np.array([one['id'] for one in own], np.int64)
    masks = pack_masks(gt_map == ids[:, None, None], gt_map.shape)
    return ImageObjects(
        masks=masks,
        labels=np.array([label_of[one['category_id']] for one in own], np.int64),
        crowd=np.array([bool(one.get('iscrowd')) for one in own], bool),
        void=pack_masks((gt_map == VOID)[None], gt_map.shape),
    )
