"""Writes class maps (CAM, Grad-CAM, peaks) of a labeler."""

from typing import Any

from mmengine.structures import BaseDataElement

from mmwsis.formats.class_maps import KIND, encode_class_maps
from mmwsis.utils.arrays import to_numpy

from .collapse import dominant_class
from .judged_maps import JudgedMapFolder


class ClassMapFolder(JudgedMapFolder):
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
        return content, dict(labels=labels.tolist(), dominant=dominant)
