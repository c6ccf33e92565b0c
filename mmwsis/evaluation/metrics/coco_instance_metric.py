"""COCO AP through MMDetection's metric, with a faster backend and lower thresholds."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from mmdet.evaluation import CocoMetric
from pycocotools import mask as coco_mask

from mmwsis.compat import replaced_coco_eval
from mmwsis.formats.coco_file import load_coco, match_classes
from mmwsis.formats.coco_masks import annotation_mask, check_segmentation
from mmwsis.registry import METRICS
from mmwsis.structures import annotation_place

from ..instance_ground_truth import cut_masks
from ..metric_tables import class_names
from ..predicted_instances import check_instances

BACKENDS = ('pycocotools', 'faster-coco-eval')


@METRICS.register_module()
class CocoInstanceMetric(CocoMetric):
    """``mmdet.CocoMetric`` with a choice of backend and the protocol of WISE.

    Args:
        *args: Arguments of ``mmdet.CocoMetric``.
        backend: 'pycocotools', or 'faster-coco-eval', which gives the same numbers in
            less time and is installed with ``pip install faster-coco-eval``.
        ap_thrs: IoU thresholds for which ``<metric>_AP<percent>`` is reported besides
            the usual figures, such as (0.25, 0.5, 0.75) for WISE: COCO's rules (101
            points, at most 100 predictions per image and class), not rounded.
        skip_images_without_gt: For ``ap_thrs``, ignore predictions in images that have
            no object (crowds are none), as WISE's released evaluation does. 'both':
            report these as ``<metric>_AP<percent>_with_objects`` beside those of all
            images, if there is such an image.
        remove_void: Take void pixels (``images[].void`` of ``ann_file``) out of the
            predicted masks, as WISE does on VOC. Scores stay.
        **kwargs: Arguments of ``mmdet.CocoMetric``.

    Raises:
        ValueError: Unknown backend or ``skip_images_without_gt``, or ``remove_void``
            without ``ann_file``.
        ImportError: The backend is not installed.
    """

    def __init__(
        self,
        *args: Any,
        backend: str = 'pycocotools',
        ap_thrs: Sequence[float] = (),
        skip_images_without_gt: bool | str = False,
        remove_void: bool = False,
        **kwargs: Any,
    ) -> None:
        self.ann_file = _check_ground_truth(args, kwargs)
        super().__init__(*args, **kwargs)
        if self._coco_api is not None:
            _complete(self._coco_api)
        self._evaluator = coco_evaluator(backend)
        self.ap_thrs = tuple(ap_thrs)
        if skip_images_without_gt not in (True, False, 'both'):
            raise ValueError(
                "skip_images_without_gt must be True, False or 'both', got "
                f'{skip_images_without_gt!r}.'
            )
        self.skip_images_without_gt = skip_images_without_gt
        self.remove_void = remove_void
        if remove_void and self._coco_api is None:
            raise ValueError('remove_void=True needs ann_file, which holds the void.')

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the predictions of one batch.

        Args:
            data_batch: Not used.
            data_samples: ``DetDataSample`` as dictionaries.

        Raises:
            ValueError: A prediction cannot be judged, or the void of an image is
                broken; the message names it.
        """
        before = len(self.results)
        for sample in data_samples:
            self._check(sample)
        super().process(data_batch, data_samples)
        if not self.remove_void:
            return
        for _, result in self.results[before:]:
            image = self._coco_api.imgs[result['img_id']]
            if image.get('void') is not None and 'masks' in result:
                size = image['height'], image['width']
                where = f'void of image id {image["id"]!r}'
                void = coco_mask.encode(annotation_mask(image['void'], size, where))
                result['masks'] = cut_masks(result['masks'], void)

    def _check(self, sample: Mapping[str, Any]) -> None:
        """Refuse what would be judged wrongly without a word."""
        image_id, size = sample['img_id'], sample['ori_shape']
        if self._coco_api is not None:
            image = self._coco_api.imgs.get(image_id)
            if image is None:
                raise ValueError(
                    f'{self.ann_file} has no image with the id {image_id!r}, for which '
                    'there are predictions. Set ann_file of the metric to the one of '
                    'the dataset that is tested.'
                )
            size = image['height'], image['width']
        needed = ['bboxes'] + (['masks'] if 'segm' in self.metrics else [])
        classes = class_names(self)
        check_instances(sample, tuple(size[:2]), len(classes), needed)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Figures over the whole dataset.

        Args:
            results: Of all ranks.

        Returns:
            What ``mmdet.CocoMetric`` returns, and AP at ``ap_thrs``: 0 where nothing
            was predicted, NaN where no class has an object, for which upstream has -1.

        Raises:
            ValueError: Nothing was tested, and there is no ``ann_file`` either.
        """
        # A sampler may repeat an image.
        unique = {result['img_id']: (gt, result) for gt, result in results}
        results = list(unique.values()) or [self._nothing()]
        if self._coco_api is not None:
            categories = self._coco_api.dataset['categories']
            # Upstream takes them in the order of the file, whatever the classes'.
            self.cat_ids = match_classes(class_names(self), categories, self.ann_file)
        finished = []

        def evaluator(gt: Any, dt: Any, iou_type: str) -> Any:
            own = _in_order(self._evaluator(gt, dt, iou_type), self.cat_ids)
            finished.append((gt, dt, iou_type))
            return own

        with replaced_coco_eval(evaluator):
            metrics = super().compute_metrics(results)
        metrics = {
            name: float('nan') if value == -1 else value
            for name, value in metrics.items()
        }
        for gt, dt, iou_type in finished:
            if self.ap_thrs and iou_type in self.metrics:
                metrics.update(self._ap_at_thresholds(gt, dt, iou_type))
        return metrics

    def _ap_at_thresholds(self, gt: Any, dt: Any, iou_type: str) -> dict[str, float]:
        """Mean AP over the classes at each of ``ap_thrs``."""
        skip, shown = self.skip_images_without_gt, [(self.img_ids, '')]
        filled = images_with_objects(gt, self.img_ids, self.cat_ids) if skip else []
        if skip == 'both' and len(filled) < len(self.img_ids):
            shown.append((filled, '_with_objects'))
        elif skip is True:
            shown = [(filled, '')]
        metrics = {}
        for image_ids, suffix in shown:
            table = coco_ap_table(
                gt,
                dt,
                self.ap_thrs,
                iou_type=iou_type,
                category_ids=self.cat_ids,
                image_ids=image_ids,
                evaluator=self._evaluator,
            )
            for threshold, values in zip(self.ap_thrs, table.T):
                known = values[~np.isnan(values)]
                mean = float(known.mean()) if len(known) else float('nan')
                name = f'{iou_type}_AP{round(100 * threshold, 4):g}{suffix}'
                metrics[name] = mean
        return metrics

    def _nothing(self) -> tuple[dict, dict]:
        """What upstream needs of a dataset without an image that was tested."""
        if self._coco_api is None:
            raise ValueError(
                'no image was tested, and CocoInstanceMetric has no ann_file that '
                'would tell the objects. Is the test dataset empty?'
            )
        number = np.zeros(0)
        return {}, dict(
            img_id=None,
            bboxes=number.reshape(0, 4),
            scores=number,
            labels=number.astype(np.int64),
            masks=[],
        )


def _check_ground_truth(args: Sequence[Any], kwargs: Mapping[str, Any]) -> str | None:
    """Refuse a file that pycocotools would fail on, or misread, without naming it."""
    given = dict(zip(('ann_file', 'metric'), args), **kwargs)
    path = given.get('ann_file')
    if path is None:
        return None
    coco = load_coco(str(path), 'masks', given.get('backend_args'))
    if 'segm' not in np.atleast_1d(given.get('metric', 'bbox')):
        return path
    sizes = {im['id']: (im['height'], im['width']) for im in coco['images']}
    for one in coco['annotations']:
        place = annotation_place(str(path), one)
        check_segmentation(one.get('segmentation'), sizes[one['image_id']], place)
    return path


def _complete(gt: Any) -> None:
    """Give annotations what pycocotools takes for granted.

    An object with the id 0 would count as not found, a text as an id would end it.
    """
    for number, one in enumerate(gt.dataset.get('annotations', []), 1):
        one['id'] = number
        one['iscrowd'] = int(bool(one.get('iscrowd')))
        if isinstance(one.get('area'), (int, float)) and math.isfinite(one['area']):
            continue
        if one.get('segmentation'):
            one['area'] = float(coco_mask.area(gt.annToRLE(one)))
        else:
            one['area'] = float(one['bbox'][2] * one['bbox'][3])
    gt.createIndex()


def _in_order(run: Any, category_ids: Sequence[int]) -> Any:
    """Let ``run.eval`` list the classes as upstream reads them, not sorted by id."""
    accumulate = run.accumulate

    def accumulate_in_order(*args: Any, **kwargs: Any) -> None:
        accumulate(*args, **kwargs)
        if run.params.useCats:
            order = np.searchsorted(np.unique(category_ids), category_ids)
            run.eval['precision'] = run.eval['precision'][:, :, order]

    run.accumulate = accumulate_in_order
    return run


def coco_evaluator(backend: str) -> Callable[[Any, Any, str], Any]:
    """What runs COCO's evaluation.

    Args:
        backend: 'pycocotools' or 'faster-coco-eval'.

    Returns:
        Called with ground truth, predictions (``pycocotools.coco.COCO``) and the kind
        of overlap; makes an object with the interface of ``COCOeval``.

    Raises:
        ValueError: Unknown backend.
        ImportError: It is not installed.
    """
    if backend not in BACKENDS:
        raise ValueError(f'backend must be one of {BACKENDS}, got {backend!r}.')
    if backend == 'pycocotools':
        from pycocotools.cocoeval import COCOeval

        return COCOeval
    try:
        from faster_coco_eval import COCOeval_faster
    except ImportError as error:
        raise ImportError(
            "backend='faster-coco-eval' needs that package: pip install "
            "faster-coco-eval; or use backend='pycocotools'."
        ) from error
    return COCOeval_faster


def images_with_objects(
    gt: Any, image_ids: Sequence[Any], category_ids: Sequence[int]
) -> list[Any]:
    """Images that have an object of the classes, crowds aside.

    Args:
        gt: Ground truth, ``pycocotools.coco.COCO``.
        image_ids: Images to choose from.
        category_ids: The classes.

    Returns:
        Some of ``image_ids``, in their order.
    """
    chosen = dict(catIds=list(category_ids), iscrowd=False)
    return [key for key in image_ids if gt.getAnnIds(imgIds=[key], **chosen)]


def coco_ap_table(
    gt: Any,
    dt: Any,
    thresholds: Sequence[float],
    iou_type: str = 'segm',
    category_ids: Sequence[int] | None = None,
    image_ids: Sequence[Any] | None = None,
    evaluator: Callable[[Any, Any, str], Any] | None = None,
) -> np.ndarray:
    """AP of every class at every threshold by COCO's rules, areas of all sizes.

    Args:
        gt: Ground truth, ``pycocotools.coco.COCO``.
        dt: Predictions, of ``gt.loadRes``.
        thresholds: T IoUs.
        iou_type: 'segm' or 'bbox'.
        category_ids: K classes; ``None`` takes all, ascending.
        image_ids: Images; ``None`` takes all.
        evaluator: Of :func:`coco_evaluator`; ``None`` is pycocotools'.

    Returns:
        ``(K, T)`` float64, 0 to 1, at most 100 predictions per image and class; NaN for
        classes without an object. Classes are in the order of ``category_ids``.
    """
    run = (evaluator or coco_evaluator('pycocotools'))(gt, dt, iou_type)
    category_ids = list(gt.getCatIds() if category_ids is None else category_ids)
    image_ids = list(gt.getImgIds() if image_ids is None else image_ids)
    if not image_ids:
        return np.full((len(category_ids), len(thresholds)), np.nan)
    run.params.catIds = category_ids
    run.params.imgIds = image_ids
    run.params.iouThrs = np.asarray(thresholds, dtype=np.float64)
    run.params.maxDets = [100]
    run.params.areaRng = [[0, 1e10]]
    run.params.areaRngLbl = ['all']
    run.evaluate()
    run.accumulate()
    precision = run.eval['precision'][:, :, :, 0, -1]
    values = np.where((precision > -1).any(axis=1), precision.mean(axis=1), np.nan)
    # pycocotools sorts the category ids that it is given.
    order = np.searchsorted(np.unique(category_ids), category_ids)
    return values.T[order]
