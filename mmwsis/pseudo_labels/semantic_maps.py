"""Writes the pseudo semantic maps of a labeler."""

from pathlib import Path
from typing import Any

from mmengine.structures import BaseDataElement, PixelData

from mmwsis.formats.semantic_maps import BACKGROUND, IGNORE_INDEX, encode_semantic_map
from mmwsis.utils.arrays import to_numpy

from .artifact import LabelSource
from .collapse import dominant_value
from .judged_maps import JudgedMapFolder


class SemanticMapFolder(JudgedMapFolder):
    """A folder of semantic maps, as MMSegmentation reads them.

    With its ``reduce_zero_label=False`` and the ``classes`` of the index file.
    A pixel holds the index of its class in ``classes`` of the index file, 255 where
    nothing is known. With ``background`` class 0 is the background and class ``k + 1``
    is the dataset's class ``k``, as in PASCAL VOC; without it class ``k`` is ``k``.

    Reads ``pred_sem_seg.sem_seg`` of a predicted sample, or ``pred_sem_seg.data``, as
    MMSegmentation's models fill it: integers (1, H, W) of image size, in this
    numbering; and of a classifier ``pred_tag_logits`` (C,), by which it is judged.

    Args:
        out: Folder to write.
        source: What is labelled.
        background: Whether 0 is the background. Defaults to True.
    """

    kind = 'semantic_maps'
    title = 'semantic maps'
    suffix = '.png'

    def __init__(self, out: Path, source: LabelSource, background: bool = True) -> None:
        super().__init__(out, source)
        self.background = background
        if len(self.classes) > IGNORE_INDEX:
            raise ValueError(
                f'semantic maps of 8 bits hold {IGNORE_INDEX} classes, the config '
                f'names {len(self.classes)}.'
            )

    @property
    def values(self) -> tuple[str, ...]:
        """Name of every pixel value."""
        return self.classes

    @property
    def classes(self) -> tuple[str, ...]:
        """Name of every pixel value."""
        names = tuple(self.source.classes)
        return (BACKGROUND, *names) if self.background else names

    def index_keys(self) -> dict[str, Any]:
        """Classes and the value of unknown pixels."""
        return dict(classes=list(self.classes), ignore_index=IGNORE_INDEX)

    def encode(
        self, sample: BaseDataElement, image_size: tuple[int, int], where: str
    ) -> tuple[bytes, dict[str, Any]]:
        """Content of one image's file.

        Args:
            sample: Predicted sample.
            image_size: ``(H, W)`` in pixels.
            where: Names the image in messages.
        """
        found = sample.get('pred_sem_seg') or PixelData()
        # MMDetection's name, and MMSegmentation's.
        values = found.get('sem_seg', found.get('data'))
        if values is None:
            raise ValueError(
                f'{where}: the model returned no pred_sem_seg.sem_seg. Its predict() '
                "must fill it for artifact='semantic_maps'."
            )
        values = to_numpy(values)
        if values.shape not in (tuple(image_size), (1, *image_size)):
            raise ValueError(
                f'{where}: pred_sem_seg.sem_seg has shape {values.shape}, expected '
                f'{(1, *image_size)}.'
            )
        values = values.reshape(image_size)
        content = encode_semantic_map(values, self.classes, where)
        return content, dict(dominant=dominant_value(values, IGNORE_INDEX))
