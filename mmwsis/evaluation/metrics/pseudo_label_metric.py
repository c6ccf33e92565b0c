"""Quality of a labeler's masks while it trains."""

from collections.abc import Sequence
from typing import Any

from mmengine.evaluator import BaseMetric
from pycocotools import mask as coco_mask

from mmwsis.formats.coco_masks import annotation_mask
from mmwsis.ops import encode_filled_box
from mmwsis.ops.connected_components import SEPARATED_MIN_AREA, is_separated
from mmwsis.registry import METRICS

from ..mask_quality import (
    GROUPS,
    SIDES,
    InstanceQuality,
    edge_offsets,
    mask_iou,
    summarize,
)


@METRICS.register_module()
class PseudoLabelMetric(BaseMetric):
    """Class-mean IoU of predicted masks with the ground truth (MAL, EXITS, Table 4).

    Reports ``pseudo_label/class_mean_iou``, the same of ``small``, ``medium``,
    ``large`` (bins of box area), ``separated`` and ``whole`` objects as
    ``class_mean_iou_<group>``, ``instance_mean_iou``, ``recall50``,
    ``empty_predictions`` (share), ``filled_boxes``, the class-mean IoU of the boxes
    that the labeler starts from, and ``edge_left``, ``edge_top``, ``edge_right`` and
    ``edge_bottom``, the mean distance in pixels of a mask's outermost pixels from the
    true ones (:func:`~mmwsis.evaluation.mask_quality.edge_offsets`). Crowds do not
    count; samples that a distributed sampler repeats count once.

    Args:
        separated_min_part: Least size in pixels of a part of a separated object.
        **kwargs: Arguments of MMEngine's ``BaseMetric``: ``collect_device``, ``prefix``
            of the metrics' names, ``collect_dir``.
    """

    default_prefix = 'pseudo_label'

    def __init__(
        self, separated_min_part: int = SEPARATED_MIN_AREA, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.separated_min_part = separated_min_part

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Compare the masks of one batch.

        Args:
            data_batch: Not used.
            data_samples: Predicted ``ObjectCropSample`` as dictionaries, with
                ``gt_mask`` (polygons or RLE) and ``pred_mask`` (RLE).

        Raises:
            ValueError: A sample has no ground truth or no prediction.
        """
        # One entry per sample, crowds too: mmengine cuts padding off by position.
        self.results.extend(self._measure(sample) for sample in data_samples)

    def _measure(self, sample: dict) -> InstanceQuality | None:
        if sample.get('iscrowd'):
            return None
        where = f'annotation id {sample.get("ann_id")!r} of image id ' + repr(
            sample.get('img_id')
        )
        if sample.get('gt_mask') is None:
            raise ValueError(
                f'{where}: no ground-truth mask to compare with. Declare the dataset '
                "of val_dataloader with supervision='masks' and an annotation file "
                'that has segmentation.'
            )
        if 'pred_mask' not in sample:
            raise ValueError(f'{where}: the model returned no pred_mask.')
        size = sample['height'], sample['width']
        gt = annotation_mask(sample['gt_mask'], size, where)
        pred = annotation_mask(sample['pred_mask'], size, f'{where}, prediction')
        x0, y0, x1, y1 = sample['bbox']
        box = encode_filled_box([x0, y0, x1 - x0, y1 - y0], size)
        return InstanceQuality(
            ann_id=sample['ann_id'],
            image_id=sample['img_id'],
            category_id=sample['label'],
            iou=mask_iou(pred, gt),
            box_iou=mask_iou(coco_mask.decode(box), gt),
            box_area=float(sample['area']),
            separated=is_separated(gt, self.separated_min_part),
            empty=not pred.any(),
            edges=edge_offsets(pred, gt),
        )

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Figures over the whole dataset.

        Args:
            results: Of all ranks.

        Returns:
            Name -> value; NaN for groups without an instance.
        """
        # mmengine's collection turns named tuples into plain ones.
        measured = [InstanceQuality(*item) for item in results if item is not None]
        unique = {item.ann_id: item for item in measured}
        classes = (self.dataset_meta or {}).get('classes') or ()
        names = {item.category_id: str(item.category_id) for item in unique.values()}
        names.update(enumerate(classes))
        summary = summarize(list(unique.values()), names) if unique else {}
        means, undefined = summary.get('class_mean_iou', {}), float('nan')
        metrics = {
            f'class_mean_iou{"" if group == "all" else f"_{group}"}': means.get(
                group, undefined
            )
            for group in GROUPS
        }
        metrics['instance_mean_iou'] = summary.get('instance_mean_iou', undefined)
        for name in ('recall50', 'filled_boxes'):
            metrics[name] = summary.get(name, {}).get('all', undefined)
        edges = summary.get('edge_offsets', {})
        metrics.update({f'edge_{side}': edges.get(side, undefined) for side in SIDES})
        empty = summary.get('empty_predictions', undefined)
        metrics['empty_predictions'] = empty / max(len(unique), 1)
        return metrics
