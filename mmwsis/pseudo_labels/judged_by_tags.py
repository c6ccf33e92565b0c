"""What a classifier makes is judged by whether it knows the tags of the images."""

from typing import Any

import numpy as np
from mmengine.structures import BaseDataElement

from mmwsis.utils.arrays import to_numpy

from .artifact import Artifact, Records
from .tag_accuracy import judge_tag_accuracy, tag_matrix


class JudgedByTags(Artifact):
    """Mixin of artifacts that classifiers make, such as class maps and their peaks.

    A classifier says in ``pred_tag_logits`` (C,) of a predicted sample what it takes
    the image's tags for; other models have no such field, and are not judged.
    """

    # The records that were judged last, and what came out.
    _judged: tuple[Records, dict[str, Any] | None] | None = None

    @staticmethod
    def logits_of(sample: BaseDataElement) -> dict[str, list[float]]:
        """What a record keeps for the judgement.

        Args:
            sample: Predicted sample.

        Returns:
            ``logits``; nothing of a model that is no classifier.
        """
        logits = sample.get('pred_tag_logits')
        if logits is None:
            return {}
        return dict(logits=to_numpy(logits).astype(float).round(4).tolist())

    def check(self, records: Records) -> None:
        """Refuse what a classifier makes that does not know its tags.

        Args:
            records: Image id -> its record.

        Raises:
            ValueError: It tells them no better than chance.
        """
        accuracy = self.tag_accuracy(records)
        if accuracy is not None and accuracy['at_chance']:
            raise ValueError(
                f'{self.out}: {accuracy["warnings"][0]} Such {self.title} show '
                'nothing. Train the classifier longer or from pretrained weights, '
                'until its tag_mAP rises. The same command with --force writes the '
                f'{self.title} as they are.'
            )

    def tag_accuracy(self, records: Records) -> dict[str, Any] | None:
        """How well the classifier knows the tags.

        Checking and finishing ask for it, and on COCO it takes half a minute.

        Args:
            records: Image id -> its record.

        Returns:
            As :func:`~mmwsis.pseudo_labels.tag_accuracy.judge_tag_accuracy`; None if
            the model does not say.
        """
        if self._judged is None or self._judged[0] is not records:
            self._judged = records, self._judge(records)
        return self._judged[1]

    def _judge(self, records: Records) -> dict[str, Any] | None:
        if not records or not all('logits' in one for one in records.values()):
            return None
        # In the order of the file, not of ranks and shards: chance is drawn.
        keys = [key for key in self.source.images if key in records]
        label_of = {key: label for label, key in enumerate(self.source.category_ids)}
        tags = (
            [
                label_of[tag]
                for tag in self.source.images[key].get('tags', ())
                if tag in label_of
            ]
            for key in keys
        )
        classes = self.source.classes
        logits = np.array([records[key]['logits'] for key in keys])
        return judge_tag_accuracy(logits, tag_matrix(tags, len(classes)), classes)


def tag_accuracy_text(accuracy: dict[str, Any] | None) -> str:
    """What the log says of a classifier, behind what it made.

    Args:
        accuracy: Of :meth:`JudgedByTags.tag_accuracy`.
    """
    if accuracy is None or accuracy['mAP'] is None:
        return ''
    share = f'{100 * accuracy["mAP"]:.1f} %'
    return f'; mAP of the classifier over the tags of these images {share}'
