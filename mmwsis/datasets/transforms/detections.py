"""Loading what a detector found in an image."""

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmwsis.formats.detections import DetectionFile
from mmwsis.ops.tensor_checks import as_integer, as_number
from mmwsis.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadDetections(BaseTransform):
    """Load the boxes that a detector found in an image.

    Sets ``detections``, a dictionary of ``bboxes`` float32 (N, 4), x0, y0, x1 and y1 in
    pixels, ``labels`` int64 (N,), the dataset's things, and ``scores`` float32 (N,),
    best first; equal boxes are kept. Put it before the transforms that resize, cut or
    mirror, which must be ``mmwsis``'s: those of MMDetection leave it behind.
    :class:`PackWeakInputs` packs it. The file is opened at the first sample, once per
    process.

    Args:
        ann_file: What ``tools/generate_pseudo_labels.py --artifact detections`` wrote,
            or a list of COCO results.
        score_thr: Detections with a lower score are left out. Defaults to 0.5.
        max_per_img: How many are kept of an image, the best. Defaults to 100.

    Raises:
        ValueError: A setting out of range.
    """

    def __init__(
        self, ann_file: str, score_thr: float = 0.5, max_per_img: int = 100
    ) -> None:
        self.ann_file = ann_file
        self.score_thr = as_number('score_thr', score_thr, '[0, 1]')
        self.max_per_img = as_integer('max_per_img', max_per_img, 0)
        self._file: DetectionFile | None = None

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Load the detections of ``results['img_id']``.

        Args:
            results: Data of an image of ``mmwsis.CocoWeakDataset``, or of
                ``mmdet.CocoPanopticDataset`` with ``return_classes=True``, whose
                classes are things, then stuff.

        Returns:
            ``results``.

        Raises:
            FileNotFoundError: There is no such file.
            KeyError: The sample does not say which classes there are.
            ValueError: The image is of no dataset, so that nobody knows its detections;
                it has been resized already; or the file is of other images or
                classes, or has a broken entry. The message names the image.
        """
        if results.get('img_id') is None:
            raise ValueError(
                f'Image {results.get("img_path")} is of no dataset, so '
                f'{self.ann_file} has no detections of it. '
                'mmwsis.apis.LabelInferencer takes them beside new images '
                '(docs/inference.md); DetInferencer does not.'
            )
        size = results['height'], results['width']
        if results.get('img_shape', size)[:2] != size or results.get('flip'):
            raise ValueError(
                'LoadDetections must stand before the transforms that resize, cut or '
                f'mirror (image id {results["img_id"]!r}).'
            )
        if self._file is None:
            things = _things(results)
            ids = results.get('category_ids')
            ids = None if ids is None else ids[: len(things)]
            self._file = DetectionFile(self.ann_file, things, ids)
        found = self._file.read(results['img_id'])
        order = np.argsort(-found.scores, kind='stable')
        kept = order[found.scores[order] >= self.score_thr][: self.max_per_img]
        fields = {name: value[kept] for name, value in found._asdict().items()}
        results['detections'] = dict(fields, size=size, flip=False)
        return results

    def __getstate__(self) -> dict[str, Any]:
        """Leave the file behind when a worker gets a copy."""
        return {**self.__dict__, '_file': None}

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(ann_file={self.ann_file!r}, '
            f'score_thr={self.score_thr}, max_per_img={self.max_per_img})'
        )


def _things(results: dict[str, Any]) -> tuple[str, ...]:
    """Names of the classes that are no stuff."""
    if 'classes' not in results and 'text' not in results:
        raise KeyError(
            'LoadDetections needs the names of the classes; use it with '
            'mmwsis.CocoWeakDataset, or with return_classes=True of '
            'mmdet.CocoPanopticDataset.'
        )
    if 'classes' not in results:
        return tuple(results['text'])
    classes, stuff = results['classes'], set(results.get('stuff_classes', ()))
    things = tuple(name for name in classes if name not in stuff)
    if classes[: len(things)] != things:
        raise ValueError(
            f'metainfo.classes must name things before stuff, got {classes}.'
        )
    return things
