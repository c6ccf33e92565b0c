"""Whether class maps point at their classes, while a classifier trains."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.logging import MMLogger

from mmwsis.registry import METRICS

from ..class_map_quality import (
    THRESHOLDS,
    PixelCounts,
    best_threshold,
    class_map_quality,
    count_pixels,
)
from ..metric_tables import class_table
from ..semantic_ground_truth import semantic_truth
from .instance_metric import InstanceMetric


@METRICS.register_module()
class ClassMapMetric(InstanceMetric):
    """Semantic mean IoU of class maps, background included (IRNet, section 5).

    A pixel belongs to the class with the strongest response if that exceeds a
    threshold, else to the background. Only classes of the image's tags have a map, so
    the figure says how well the maps *localise*, not how well tags are predicted.

    Reports ``mIoU`` at ``threshold``, ``mIoU_best`` and ``best_threshold`` over a grid
    in steps of 0.05, 0 to 1.

    Args:
        ann_file: COCO JSON at level 'masks'; see :class:`InstanceGroundTruth`.
        threshold: IRNet: 0.15.
        map_name: Map of ``pred_class_maps`` that has the size of the image.
        **kwargs: Other arguments of :class:`InstanceMetric`.
    """

    default_prefix = 'class_maps'

    def __init__(
        self,
        ann_file: str,
        threshold: float = 0.15,
        map_name: str = 'high_res',
        **kwargs: Any,
    ) -> None:
        super().__init__(ann_file, **kwargs)
        self.threshold = threshold
        self.map_name = map_name
        self.thresholds = tuple(sorted({*THRESHOLDS, threshold}))

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Compare the maps of one batch with the ground truth.

        Args:
            data_batch: Not used.
            data_samples: Samples as dictionaries, with ``img_id`` and
                ``pred_class_maps`` (``labels`` and the map).

        Raises:
            ValueError: A map is missing or of another size than its image.
        """
        for sample in data_samples:
            image_id = sample['img_id']
            size = self.truth.image_size(image_id)
            found = sample.get('pred_class_maps') or {}
            if self.map_name not in found:
                raise ValueError(
                    f'image id {image_id!r}: the model returned no pred_class_maps '
                    f'with {self.map_name!r}, only {sorted(found)}.'
                )
            counts = count_pixels(
                found[self.map_name].float().cpu().numpy(),
                found['labels'].cpu().numpy(),
                semantic_truth(self.truth.objects(image_id), size),
                len(self.truth.classes),
                self.thresholds,
                f'image id {image_id!r}',
            )
            self.results.append((image_id, *counts))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Figures over the whole dataset.

        Args:
            results: One entry per image, of all ranks.

        Returns:
            Name -> value; NaN if there is no pixel to judge.
        """
        # A sampler may repeat an image; mmengine's collection makes tuples plain.
        unique = {item[0]: PixelCounts(*item[1:]) for item in results}
        classes = ('background', *self.truth.classes)
        figures = class_map_quality(unique.values(), len(classes) - 1, self.thresholds)
        at = figures[self.thresholds.index(self.threshold)]
        best = best_threshold(figures)
        table = {
            f'IoU at {self.threshold}': at.iou,
            f'IoU at {self.thresholds[best]}': figures[best].iou,
        }
        MMLogger.get_current_instance().info('\n' + class_table(classes, table))
        return dict(
            mIoU=at.miou,
            mIoU_best=figures[best].miou,
            best_threshold=float('nan') if np.isnan(at.miou) else self.thresholds[best],
        )
