"""AP of instance masks by the protocols of VOC and Cityscapes."""

from collections.abc import Sequence
from typing import Any

from mmengine.logging import MMLogger

from mmwsis.registry import METRICS

from ..instance_ap import mean_over_classes
from ..instance_matching import ImageMatch, match_image
from ..instance_tables import RULES, instance_tables
from ..metric_tables import class_table
from .instance_metric import InstanceMetric


@METRICS.register_module()
class VOCInstanceMetric(InstanceMetric):
    """Mask AP, AP^r, AP^r_vol and ABO.

    With ``rules='voc'`` it reports, all from 0 to 1 and as means over the classes that
    have an object,

    - ``AP25``, ``AP50``, ``AP70``, ``AP75`` (``iou_thrs``): AP as IRNet and BESTIE
      measure it. Void pixels belong to no object but count in the union where they are
      predicted;
    - ``APr_50`` to ``APr_90`` (``apr_thrs``), ``APr_vol`` (mean over 0.1 to 0.9 in
      steps of 0.1) and ``APr_vol_50_95`` (0.5 to 0.95 in steps of 0.05): AP^r as Li,
      Arnab and Torr measure it. Void pixels are taken out of the predictions first,
      and predictions that have no others are dropped;
    - ``ABO``: the IoU of every object with the prediction of its class that overlaps it
      most, 0 if there is none, averaged over the objects of a class and then over
      classes. Void pixels count as for ``AP50``.

    Crowd regions, which VOC does not know, count as void.

    With ``rules='cityscapes'`` it reports ``AP`` (mean over 0.5 to 0.95) and the
    thresholds of ``iou_thrs`` from 0.5 on as the Cityscapes benchmark counts: groups
    (``iscrowd``) and objects below ``min_region`` pixels need not be found, and what
    lies mostly on them or on void is no error.

    Thresholds are inclusive for 'voc' and exclusive for 'cityscapes'. Equal scores
    keep the order of the images and of the predictions. A figure that is not defined,
    because there is no object at all, is NaN.

    Args:
        ann_file: COCO JSON at level 'masks'; see :class:`InstanceGroundTruth`.
        rules: 'voc' or 'cityscapes'.
        iou_thrs: Thresholds of ``AP<percent>``.
        apr_thrs: Thresholds of ``APr_<percent>``.
        min_region: Least pixels of an object that counts, for 'cityscapes'.
        classwise: Also report ``AP<percent>_<class>`` and ``ABO_<class>``; the log has
            the table in any case.
        **kwargs: Other arguments of :class:`InstanceMetric`.

    Raises:
        ValueError: Unknown rules, or thresholds outside (0, 1].
    """

    default_prefix = 'voc'

    def __init__(
        self,
        ann_file: str,
        rules: str = 'voc',
        iou_thrs: Sequence[float] = (0.25, 0.5, 0.7, 0.75),
        apr_thrs: Sequence[float] = (0.5, 0.6, 0.7, 0.8, 0.9),
        min_region: int = 100,
        classwise: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(ann_file, **kwargs)
        if rules not in RULES:
            raise ValueError(f'rules must be one of {RULES}, got {rules!r}.')
        for name, values in (('iou_thrs', iou_thrs), ('apr_thrs', apr_thrs)):
            if not all(0 < value <= 1 for value in values):
                raise ValueError(f'{name} must lie in (0, 1], got {tuple(values)}.')
        self.rules = rules
        self.iou_thrs = tuple(iou_thrs)
        self.apr_thrs = tuple(apr_thrs)
        self.min_region = min_region
        self.classwise = classwise

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Match the predictions of one batch.

        Args:
            data_batch: Not used.
            data_samples: ``DetDataSample`` as dictionaries, with ``img_id`` and
                ``pred_instances`` (``masks``, ``labels``, ``scores``).

        Raises:
            ValueError: A prediction cannot be judged; the message names the image.
        """
        for image_id, pred in self.predictions(data_samples):
            match = match_image(
                pred, self.truth.objects(image_id), self.rules, self.min_region
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
        classes = self.truth.classes
        tables = instance_tables(
            list(unique.values()),
            len(classes),
            rules=self.rules,
            iou_thrs=self.iou_thrs,
            apr_thrs=self.apr_thrs,
        )
        MMLogger.get_current_instance().info('\n' + class_table(classes, tables))
        metrics = {}
        for name, values in tables.items():
            metrics[name] = float(mean_over_classes(values))
        if self.classwise:
            for name, values in tables.items():
                if not name.startswith('APr'):
                    for label, value in enumerate(values):
                        metrics[f'{name}_{classes[label]}'] = float(value)
        return metrics
