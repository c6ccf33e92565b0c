"""What the metrics of instance masks share: ground truth and predictions."""

from collections.abc import Iterator, Sequence
from typing import Any

from mmengine.evaluator import BaseMetric

from ..instance_ground_truth import InstanceGroundTruth
from ..metric_tables import class_names
from ..predicted_instances import PredictedInstances, predicted_instances


class InstanceMetric(BaseMetric):
    """Base of metrics that compare predicted masks with those of a COCO JSON.

    Args:
        ann_file: COCO JSON at level 'masks'; see :class:`InstanceGroundTruth`.
        backend_args: Arguments of MMEngine's file backend. Defaults to None.
        **kwargs: Arguments of MMEngine's ``BaseMetric``: ``collect_device``, ``prefix``
            of the metrics' names, ``collect_dir``.
    """

    def __init__(
        self, ann_file: str, backend_args: dict | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.ann_file = ann_file
        self.backend_args = backend_args
        self._truth: InstanceGroundTruth | None = None

    @property
    def truth(self) -> InstanceGroundTruth:
        """Ground truth, read when it is first needed."""
        if self._truth is None:
            self._truth = InstanceGroundTruth(
                self.ann_file, class_names(self), self.backend_args
            )
        return self._truth

    def predictions(
        self, data_samples: Sequence[dict]
    ) -> Iterator[tuple[Any, PredictedInstances]]:
        """Read what was predicted for the images of a batch.

        Args:
            data_samples: ``DetDataSample`` as dictionaries, with ``img_id`` and
                ``pred_instances`` (``masks``, ``labels``, ``scores``).

        Yields:
            Image id and predictions.

        Raises:
            ValueError: A prediction cannot be judged; the message names the image.
        """
        for sample in data_samples:
            image_id = sample['img_id']
            size = self.truth.image_size(image_id)
            yield image_id, predicted_instances(sample, size, len(self.truth.classes))
