"""Writes the pseudo panoptic maps of a labeler or panoptic model."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log
from mmengine.structures import BaseDataElement

from mmwsis.formats.coco_file import image_file_name
from mmwsis.formats.map_index import map_file
from mmwsis.formats.segment_maps import (
    ENCODINGS,
    distinct,
    encode_segment_map,
    segments_of_map,
)
from mmwsis.utils.arrays import to_numpy
from mmwsis.utils.fileio import json_rows

from .artifact import LabelSource
from .collapse import dominant_value
from .entries import SCORE_DIGITS
from .map_folder import MapFolder


class PanopticMaps(MapFolder):
    """COCO panoptic JSON, with the PNGs in the folder of its name without ``.json``.

    ``mmdet.CocoPanopticDataset``, ``mmwsis.PanopticQualityMetric`` and COCO's own tools
    read it. Segments of an image have the ids 1, 2, ...; pixels of no segment are 0.
    Without the JSON the folder is unfinished.

    Reads of a predicted sample ``pred_panoptic_seg.sem_seg``, as MMDetection's panoptic
    models fill it: integers (1, H, W) of image size, ``label + 1000 * instance``, where
    the number of classes (or ``ignore_index`` beside the map) is no label. A thing with
    instance 0 is a region whose objects are not told apart, ``iscrowd`` in the file.
    Optionally ``pred_segments``, an ``InstanceData`` with ``codes`` (S,), values of the
    map, and their ``scores`` (S,) in [0, 1]; then every segment needs one.

    Whether a class is a thing says ``isthing`` of its category in the weak file, else
    ``metainfo['stuff_classes']`` of the dataset; what neither names is a thing.

    Args:
        out: JSON to write.
        source: What is labelled.
        encoding: 'rgb', as COCO has it, or 'grey16', which mmwsis alone reads. Defaults
            to 'rgb'.
    """

    kind = 'panoptic_maps'
    title = 'panoptic maps'
    suffix = '.png'

    def __init__(self, out: Path, source: LabelSource, encoding: str = 'rgb') -> None:
        # Tools that read finished labels come by here, and mmdet is slow to import.
        from mmdet.evaluation.functional import INSTANCE_OFFSET

        super().__init__(out, source)
        self._offset = INSTANCE_OFFSET
        if encoding not in ENCODINGS:
            raise ValueError(
                f'encoding of panoptic maps must be one of {[*ENCODINGS]}, got '
                f'{encoding!r}.'
            )
        if len(source.classes) >= self._offset:
            raise ValueError(
                f'panoptic maps hold {self._offset - 1} classes, the config names '
                f'{len(source.classes)}.'
            )
        self.encoding = encoding
        self.is_thing = {
            one['id']: bool(one.get('isthing', one['name'] not in source.stuff_classes))
            for one in source.coco['categories']
        }

    @property
    def folder(self) -> Path:
        """The PNGs."""
        return self.out.with_suffix('')

    @property
    def result(self) -> Path:
        """The JSON."""
        return self.out

    @property
    def values(self) -> tuple[str, ...]:
        """Name of every label."""
        return tuple(self.source.classes)

    def begin(self, overwrite: bool) -> None:
        """Refuse what is no JSON; see :meth:`MapFolder.begin`.

        Args:
            overwrite: The folder may hold maps of another run.
        """
        if self.out.suffix != '.json':
            raise ValueError(
                f'{self.out}: panoptic maps are a JSON and a folder of its name; give '
                f'--out {self.out}.json.'
            )
        super().begin(overwrite)
        self.result.unlink(missing_ok=True)

    def items(self, dataset: BaseDataset) -> list[tuple[int, Any, Any]]:
        """List the images, with a warning where MMDetection would not find the PNG.

        Args:
            dataset: Has one sample per image.
        """
        found = super().items(dataset)
        names = map(image_file_name, self.source.images.values())
        other = [name for name in names if _mmdet_name(name) != _png_name(name)]
        if other:
            print_log(
                f'{self.source.path}: {len(other)} images such as {other[0]} are no '
                f'.jpg; mmdet.CocoPanopticDataset looks for {_mmdet_name(other[0])} '
                f'instead of {_png_name(other[0])}. mmwsis goes by the JSON.',
                logger='current',
                level=logging.WARNING,
            )
        return found

    def encode(
        self, sample: BaseDataElement, image_size: tuple[int, int], where: str
    ) -> tuple[bytes, dict[str, Any]]:
        """PNG of one image, and its segments.

        Args:
            sample: Predicted sample.
            image_size: ``(H, W)`` in pixels.
            where: Names the image in messages.
        """
        values, ignored = self._codes(sample, image_size, where)
        codes, places = distinct(values.reshape(image_size))
        labels = codes % self._offset
        listed = ~np.isin(labels, ignored)
        if labels[listed].max(initial=0) >= len(self.values):
            wrong = labels[listed].max()
            raise ValueError(
                f'{where}: pred_panoptic_seg.sem_seg has the label {wrong}; labels are '
                f'0 to {len(self.values) - 1}, {ignored[0]} for what has none.'
            )
        scores = self._scores(sample, codes[listed], where)
        numbers = np.where(listed, np.cumsum(listed), 0)
        ids = numbers[places]
        segments = segments_of_map(
            ids,
            [
                {**self._class_of(code), **score}
                for code, score in zip(codes[listed].tolist(), scores, strict=True)
            ],
        )
        classes = np.where(listed, labels, len(self.values))[places]
        dominant = dominant_value(classes, len(self.values))
        content = encode_segment_map(ids, self.encoding, where)
        return content, dict(segments_info=segments, dominant=dominant)

    def _codes(
        self, sample: BaseDataElement, image_size: tuple[int, int], where: str
    ) -> tuple[np.ndarray, list[int]]:
        """``label + 1000 * instance`` of every pixel, and the labels that are none."""
        found = sample.get('pred_panoptic_seg')
        if found is None or 'sem_seg' not in found:
            raise ValueError(
                f'{where}: the model returned no pred_panoptic_seg.sem_seg. Its '
                "predict() must fill it for artifact='panoptic_maps'; MMDetection's "
                'models do with test_cfg.panoptic_on=True.'
            )
        values = to_numpy(found.sem_seg)
        if values.shape not in (tuple(image_size), (1, *image_size)):
            raise ValueError(
                f'{where}: pred_panoptic_seg.sem_seg has shape {values.shape}, '
                f'expected {(1, *image_size)}.'
            )
        if values.dtype.kind not in 'iu' or values.min(initial=0) < 0:
            raise ValueError(
                f'{where}: pred_panoptic_seg.sem_seg must hold integers, label + '
                f'{self._offset} * instance, from 0; got {values.dtype} from '
                f'{values.min(initial=0)}.'
            )
        void = len(self.values)
        return values.astype(np.int64), [void, int(found.get('ignore_index', void))]

    def _class_of(self, code: int) -> dict[str, int]:
        label, instance = code % self._offset, code // self._offset
        category_id = self.source.category_ids[label]
        return dict(
            category_id=category_id,
            iscrowd=int(instance == 0 and self.is_thing[category_id]),
        )

    def _scores(
        self, sample: BaseDataElement, codes: np.ndarray, where: str
    ) -> list[dict[str, float]]:
        """``score`` of every segment; nothing where the model gives none."""
        table = sample.get('pred_segments')
        if table is None:
            return [{} for _ in codes]
        known, scores = (to_numpy(table[key]) for key in ('codes', 'scores'))
        if not ((scores >= 0) & (scores <= 1)).all():
            raise ValueError(
                f'{where}: pred_segments.scores must lie in [0, 1], got '
                f'{scores.tolist()[:8]}.'
            )
        score_of = dict(zip(known.tolist(), scores.tolist(), strict=True))
        missing = [code for code in codes.tolist() if code not in score_of]
        if missing:
            raise ValueError(
                f'{where}: pred_segments.codes lacks {missing[:5]}, which the map has; '
                'every segment of it needs a score.'
            )
        return [dict(score=round(score_of[c], SCORE_DIGITS)) for c in codes.tolist()]

    def document(
        self, info: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]
    ) -> str:
        """COCO panoptic JSON, one image per line.

        Args:
            info: Its ``info``.
            entries: Record of every image, in the order of the source.
        """
        coco = self.source.coco
        images = [
            {key: value for key, value in image.items() if key != 'supervision'}
            for image in coco['images']
        ]
        categories = [
            {**category, 'isthing': int(self.is_thing[category['id']])}
            for category in coco['categories']
        ]
        annotations = (
            dict(
                image_id=entry['id'],
                file_name=entry['file'],
                crc32=entry['crc32'],
                segments_info=entry['segments_info'],
            )
            for entry in entries
        )
        head = dict(info=info, images=images, categories=categories)
        return json_rows(head, 'annotations', annotations)


def _png_name(name: str) -> str:
    return map_file(dict(id=name, file_name=name), '.png')


def _mmdet_name(name: str) -> str:
    """Where MMDetection's dataset looks for the map of an image."""
    return name.replace('.jpg', '.png')
