"""Whether a classifier knows the tags of images, while it trains."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from mmwsis.pseudo_labels.tag_accuracy import tag_accuracy, tag_matrix
from mmwsis.registry import METRICS

from ..metric_tables import class_names, class_table


@METRICS.register_module()
class TagAccuracyMetric(BaseMetric):
    """Mean average precision over the tags, as multi-label classifiers are measured.

    Reports ``tag_mAP``, the mean over the classes that some images have and others do
    not, and ``all_right``, the share of the images whose classes of positive logit are
    exactly its tags; the log has every class. A random ranking has the share of the
    images with a class as its AP.

    Needs no file: an image's tags are those of the dataset, whose level may be any.

    Args:
        **kwargs: Arguments of MMEngine's ``BaseMetric``: ``collect_device``, ``prefix``
            of the metrics' names, ``collect_dir``.
    """

    default_prefix = 'classifier'

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep what the classifier says of one batch.

        Args:
            data_batch: Not used.
            data_samples: Samples as dictionaries, with ``img_id``, ``tags`` (labels)
                and ``pred_tag_logits`` (C,).

        Raises:
            ValueError: There are no logits, or not one for every class, or one is not
                finite; the message names the image.
        """
        classes = class_names(self)
        for sample in data_samples:
            where = f'image id {sample["img_id"]!r}'
            logits = sample.get('pred_tag_logits')
            if logits is None:
                raise ValueError(
                    f'{where}: the model returned no pred_tag_logits, one for each of '
                    f'the {len(classes)} classes.'
                )
            logits = logits.float().cpu().numpy()
            if logits.shape != (len(classes),) or not np.isfinite(logits).all():
                raise ValueError(
                    f'{where}: pred_tag_logits must be {len(classes)} finite numbers, '
                    f'one for each class; got {logits.tolist()}.'
                )
            self.results.append((sample['img_id'], list(sample['tags']), logits))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Figures over the whole dataset.

        Args:
            results: One entry per image, of all ranks.

        Returns:
            Name -> value, 0 to 1; NaN if there is nothing to judge.
        """
        classes = class_names(self)
        unique = {item[0]: item[1:] for item in results}  # a sampler may repeat one
        tags = tag_matrix((labels for labels, _ in unique.values()), len(classes))
        logits = np.array([row for _, row in unique.values()]).reshape(tags.shape)
        found = tag_accuracy(logits, tags)
        table = {'AP of tags': found.ap, 'images with it': found.prevalence}
        MMLogger.get_current_instance().info('\n' + class_table(classes, table))
        return dict(tag_mAP=found.mean_ap, all_right=found.all_right)
