"""Error of the number of objects that a model finds in an image."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from mmwsis.formats.coco_file import match_classes, read_coco
from mmwsis.registry import METRICS
from mmwsis.utils.arrays import to_numpy

from ..counting import count_errors
from ..metric_tables import class_names, class_table

FIELDS = ('pred_points', 'pred_instances')


@METRICS.register_module()
class CountingMetric(BaseMetric):
    """Mean absolute error of counts, in objects per image; 0 is perfect.

    How localization networks that learn from points are measured (`LCFCN
    <https://arxiv.org/abs/1807.09856>`__, section 4; `WISE
    <https://arxiv.org/abs/1906.06392>`__ trains one): ``MAE`` of all objects and
    ``class_MAE``, the mean of the errors of the classes; see
    :func:`mmwsis.evaluation.counting.count_errors`. The log has the error of every
    class. Where the objects lie plays no part.

    Args:
        ann_file: COCO JSON at any level above 'image_tags'; crowds do not count.
        field: What is counted: 'pred_points', of a network that finds points, or
            'pred_instances', of any detector. Defaults to 'pred_points'.
        score_thr: Predictions with a lower score do not count. Defaults to 0.0: all do.
        **kwargs: Arguments of MMEngine's ``BaseMetric``: ``collect_device``, ``prefix``
            of the metrics' names, ``collect_dir``.

    Raises:
        ValueError: Unknown field.
    """

    default_prefix = 'counting'

    def __init__(
        self,
        ann_file: str,
        field: str = 'pred_points',
        score_thr: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if field not in FIELDS:
            raise ValueError(f'field must be one of {FIELDS}, got {field!r}.')
        self.ann_file, self.field, self.score_thr = ann_file, field, score_thr
        self._counts: dict[Any, np.ndarray] | None = None

    @property
    def counts(self) -> dict[Any, np.ndarray]:
        """Image id -> objects of each class (C,), read when it is first needed."""
        if self._counts is None:
            coco = read_coco(self.ann_file)
            classes = class_names(self)
            ids = match_classes(classes, coco['categories'], self.ann_file)
            label_of = {category: label for label, category in enumerate(ids)}
            self._counts = {
                image['id']: np.zeros(len(classes), dtype=np.int64)
                for image in coco['images']
            }
            for one in coco['annotations']:
                label = label_of.get(one['category_id'])
                if label is not None and not one.get('iscrowd'):
                    self._counts[one['image_id']][label] += 1
        return self._counts

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Count what was found in the images of one batch.

        Args:
            data_batch: Not used.
            data_samples: Samples as dictionaries, with ``img_id`` and the field
                (``labels`` and ``scores``).

        Raises:
            ValueError: The ground truth lacks an image, or a prediction cannot be
                judged; the message names the image.
        """
        for sample in data_samples:
            image_id = sample['img_id']
            if image_id not in self.counts:
                raise ValueError(
                    f'{self.ann_file} has no image with the id {image_id!r}, for which '
                    'there are predictions. Set ann_file of the metric to the one of '
                    'the dataset that is tested.'
                )
            self.results.append((image_id, self._found(sample)))

    def _found(self, sample: Mapping[str, Any]) -> np.ndarray:
        """Predictions of each class ``(C,)``."""
        where = f'predictions of image id {sample["img_id"]!r}'
        num_classes, found = len(class_names(self)), sample.get(self.field)
        for key in ('labels', 'scores'):
            if found is None or key not in found:
                raise ValueError(
                    f'{where}: no {self.field}.{key}. CountingMetric counts what a '
                    "model finds: 'pred_points', or with field='pred_instances' those."
                )
        labels, scores = (to_numpy(found[key]) for key in ('labels', 'scores'))
        if len(labels) != len(scores):
            raise ValueError(
                f'{where}: {len(labels)} labels and {len(scores)} scores; expected as '
                'many of each.'
            )
        if not np.isfinite(scores).all():
            raise ValueError(f'{where}: {self.field}.scores holds one not finite.')
        if ((labels < 0) | (labels >= num_classes)).any():
            raise ValueError(
                f'{where}: labels must be 0 to {num_classes - 1}, one per class of the '
                f'dataset; got {labels.min()} to {labels.max()}. Does num_classes of '
                'the model fit metainfo?'
            )
        kept = labels[scores >= self.score_thr].astype(np.int64)
        return np.bincount(kept, minlength=num_classes)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Errors over the images.

        Args:
            results: One entry per image, of all ranks.

        Returns:
            ``MAE`` and ``class_MAE``; NaN if no image was tested.
        """
        classes = class_names(self)
        unique = dict(results)  # a sampler may repeat an image
        if not unique:
            return count_errors(np.zeros(0), np.zeros(0))
        truth = np.stack([self.counts[image_id] for image_id in unique])
        found = np.stack(list(unique.values()))
        table = {
            'objects per image': truth.mean(axis=0),
            'bias': (found - truth).mean(axis=0),
            'MAE': abs(found - truth).mean(axis=0),
        }
        log = class_table(classes, table, show='{:.3f}'.format)
        MMLogger.get_current_instance().info('\n' + log)
        return count_errors(found, truth)
