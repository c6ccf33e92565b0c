"""Folders of maps that a classifier may have made."""

from collections.abc import Mapping
from typing import Any

from mmengine.structures import BaseDataElement

from .artifact import Records
from .collapse import log_collapse
from .judged_by_tags import JudgedByTags, tag_accuracy_text
from .map_folder import MapFolder


class JudgedMapFolder(JudgedByTags, MapFolder):
    """A folder of maps, refused if its classifier does not know the images' tags."""

    def record(self, sample: BaseDataElement) -> dict[str, Any]:
        """Write one image's file.

        Args:
            sample: Predicted sample of a whole image.

        Returns:
            As of :class:`MapFolder`, and ``logits``, where the model gives them.
        """
        return {**super().record(sample), **self.logits_of(sample)}

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
        accuracy = self.tag_accuracy(records)
        if accuracy is not None:
            provenance = {**provenance, 'tag_accuracy': accuracy}
            log_collapse(self.out, accuracy)
        plain = {
            image_id: {key: value for key, value in record.items() if key != 'logits'}
            for image_id, record in records.items()
        }
        made = super().finish(plain, provenance, results_out)
        return made + tag_accuracy_text(accuracy)
