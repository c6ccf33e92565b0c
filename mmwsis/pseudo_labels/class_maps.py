"""Writes class maps (CAM, Grad-CAM, peaks) of a labeler."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from mmengine.structures import BaseDataElement

from mmwsis.formats.class_maps import KIND, encode_class_maps
from mmwsis.utils.arrays import to_numpy

from .artifact import Records
from .collapse import dominant_class, log_collapse
from .map_folder import MapFolder
from .tag_accuracy import judge_tag_accuracy, tag_matrix


class ClassMapFolder(MapFolder):
    """A folder of class maps.

    Reads ``pred_class_maps`` of a predicted sample, an ``InstanceData`` with one entry
    per class: ``labels`` (K,), ascending, usually those of the image's tags, and one or
    more maps under names of the method's choice, for example ``cam`` (K, h, w) and
    ``high_res`` (K, H, W), where ``(H, W)`` is the
    size of the image and ``(h, w)`` is the model's choice; and of a classifier
    ``pred_tag_logits`` (C,), by which it is judged.
    """

    kind = KIND
    title = 'class maps'
    suffix = '.npz'
    # The records that were judged last, and what came out.
    _judged: tuple[Records, dict[str, Any] | None] | None = None

    def encode(
        self, sample: BaseDataElement, image_size: tuple[int, int], where: str
    ) -> tuple[bytes, dict[str, Any]]:
        """Content of one image's file.

        Args:
            sample: Predicted sample.
            image_size: ``(H, W)`` in pixels.
            where: Names the image in messages.
        """
        found = sample.get('pred_class_maps')
        if found is None or 'labels' not in found or len(found.keys()) < 2:
            raise ValueError(
                f'{where}: the model returned no pred_class_maps with labels and at '
                "least one map. Its predict() must fill them for artifact='class_maps'."
            )
        fields = {name: to_numpy(values) for name, values in found.items()}
        labels = fields.pop('labels')
        classes = len(self.source.classes)
        if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
            raise ValueError(
                f'{where}: pred_class_maps.labels must lie in 0..{classes - 1}, got '
                f'{labels.tolist()}.'
            )
        content = encode_class_maps(labels, image_size, fields, where)
        dominant = dominant_class(labels, fields.values())
        extra = dict(labels=labels.tolist(), dominant=dominant)
        logits = sample.get('pred_tag_logits')
        if logits is not None:
            extra['logits'] = to_numpy(logits).astype(float).round(4).tolist()
        return content, extra

    def check(self, records: Records) -> None:
        """Refuse the maps of a classifier that does not know its tags.

        Args:
            records: Image id -> its record.

        Raises:
            ValueError: It tells them no better than chance.
        """
        accuracy = self._tag_accuracy(records)
        if accuracy is not None and accuracy['at_chance']:
            raise ValueError(
                f'{self.out}: {accuracy["warnings"][0]} Such maps show nothing. Train '
                'the classifier longer or from pretrained weights, until its tag_mAP '
                'rises. The same command with --force writes the maps as they are.'
            )

    def finish(
        self,
        records: Records,
        provenance: Mapping[str, Any],
        results_out: Any | None = None,
    ) -> str:
        """Write the index, which says how well the classifier knows the tags.

        Args:
            records: Image id -> its record.
            provenance: Becomes ``info.mmwsis``, with ``tag_accuracy``, of
                :func:`~mmwsis.pseudo_labels.tag_accuracy.judge_tag_accuracy`.
            results_out: Must be None, the default.
        """
        accuracy = self._tag_accuracy(records)
        if accuracy is not None:
            provenance = {**provenance, 'tag_accuracy': accuracy}
            log_collapse(self.out, accuracy)
        plain = {
            image_id: {key: value for key, value in record.items() if key != 'logits'}
            for image_id, record in records.items()
        }
        made = super().finish(plain, provenance, results_out)
        if accuracy is None or accuracy['mAP'] is None:
            return made
        return (
            f'{made}; mAP of the classifier over the tags of these images '
            f'{100 * accuracy["mAP"]:.1f} %'
        )

    def _tag_accuracy(self, records: Records) -> dict[str, Any] | None:
        """How well the classifier knows the tags; None if it does not say.

        Checking and finishing ask for it, and on COCO it takes half a minute.
        """
        if self._judged is None or self._judged[0] is not records:
            self._judged = records, self._judge(records)
        return self._judged[1]

    def _judge(self, records: Records) -> dict[str, Any] | None:
        if not records or not all('logits' in one for one in records.values()):
            return None
        label_of = {key: label for label, key in enumerate(self.source.category_ids)}
        tags = (
            [
                label_of[tag]
                for tag in self.source.images[key].get('tags', ())
                if tag in label_of
            ]
            for key in records
        )
        classes = self.source.classes
        logits = np.array([record['logits'] for record in records.values()])
        return judge_tag_accuracy(logits, tag_matrix(tags, len(classes)), classes)
