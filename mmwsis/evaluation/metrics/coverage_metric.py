"""Mean coverage of objects by predicted masks."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmwsis.registry import METRICS

from ..coverage import Coverage, image_coverage, mean_coverage
from ..mask_overlap import mask_overlaps
from .instance_metric import InstanceMetric


@METRICS.register_module()
class CoverageMetric(InstanceMetric):
    """MUCov and MWCov, 0 to 1 (KITTI; WISE, Table 6).

    The best IoU of every object with any prediction, averaged over the objects of an
    image (``MWCov``: weighted by their area), then over the images that have objects.
    Classes play no part, nothing is matched one to one, crowd regions do not count.

    Nothing is lost by predicting more, so give ``score_thr`` for models that return
    a hundred guesses an image.

    Args:
        ann_file: COCO JSON at level 'masks'; see :class:`InstanceGroundTruth`.
        score_thr: Predictions with a lower score are left out.
        remove_void: Take void pixels (``images[].void``) out of the predictions first.
        **kwargs: Other arguments of :class:`InstanceMetric`.
    """

    default_prefix = 'coverage'

    def __init__(
        self,
        ann_file: str,
        score_thr: float = 0.0,
        remove_void: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(ann_file, **kwargs)
        self.score_thr = score_thr
        self.remove_void = remove_void

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Measure the images of one batch.

        Args:
            data_batch: Not used.
            data_samples: ``DetDataSample`` as dictionaries, with ``img_id`` and
                ``pred_instances`` (``masks``, ``labels``, ``scores``).

        Raises:
            ValueError: A prediction cannot be judged; the message names the image.
        """
        for image_id, pred in self.predictions(data_samples):
            objects = self.truth.objects(image_id)
            chosen = np.flatnonzero(pred.scores >= self.score_thr)
            single = np.flatnonzero(~objects.crowd)
            overlaps = mask_overlaps(
                pred.masks[chosen], objects.masks[single], objects.void
            )
            own = image_coverage(overlaps.iou(self.remove_void), overlaps.gt_area)
            self.results.append((image_id, *own))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Means over the images.

        Args:
            results: One entry per image, of all ranks.

        Returns:
            ``MUCov`` and ``MWCov``; NaN if no image has an object.
        """
        # A sampler may repeat an image.
        unique = {item[0]: Coverage(*item[1:]) for item in results}
        mean = mean_coverage(list(unique.values()))
        return dict(MUCov=mean.unweighted, MWCov=mean.weighted)
