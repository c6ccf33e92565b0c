"""What the metrics of panoptic and semantic predictions share: a panoptic truth."""

from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric

from mmwsis.formats.coco_file import match_classes
from mmwsis.formats.panoptic_files import PanopticFile

from ..instance_ap import mean_over_classes
from ..metric_tables import class_names


class PanopticMetric(BaseMetric):
    """Base of metrics that compare predictions with a COCO panoptic file.

    Args:
        ann_file: COCO panoptic JSON of the ground truth.
        seg_prefix: Folder of its PNGs.
        backend_args: Arguments of MMEngine's file backend, for the JSON. Defaults to
            None.
        **kwargs: Arguments of MMEngine's ``BaseMetric``: ``collect_device``, ``prefix``
            of the metrics' names, ``collect_dir``.
    """

    default_prefix = 'panoptic'

    def __init__(
        self,
        ann_file: str,
        seg_prefix: str,
        backend_args: dict | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.truth = PanopticFile(ann_file, seg_prefix, backend_args)

    @property
    def category_ids(self) -> list[int]:
        """Category id of every class of the dataset that is tested."""
        categories = list(self.truth.categories.values())
        return match_classes(class_names(self), categories, self.truth.ann_file)

    def group_means(self, name: str, values: np.ndarray) -> dict[str, float]:
        """Mean over all classes, things and stuff, as metrics report them.

        Args:
            name: Of the figure; things have ``_th`` behind it, stuff ``_st``.
            values: ``(C,)``, NaN for classes without a segment.

        Returns:
            Name -> value; NaN for a group without such a class.
        """
        categories = self.truth.categories
        things = np.array([categories[key]['isthing'] for key in self.category_ids])
        groups = {'': things >= 0, '_th': things == 1, '_st': things == 0}
        return {
            name + suffix: float(mean_over_classes(values[chosen]))
            for suffix, chosen in groups.items()
        }
