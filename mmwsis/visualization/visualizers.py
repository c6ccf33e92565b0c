"""Registered visualizers: what the hooks and ``--show-dir`` draw with."""

from pathlib import Path
from typing import Any

import numpy as np
from mmdet.visualization import DetLocalVisualizer
from mmengine.dist import master_only
from mmengine.visualization import Visualizer

from mmwsis.formats.coco_masks import annotation_mask
from mmwsis.registry import VISUALIZERS

from .canvas import Canvas
from .comparison import mask_overlap
from .palette import EXTREME_POINT_COLORS
from .samples import class_name, draw_instances
from .sheet import Tile, contact_sheet, save_image
from .weak_labels import EXTREME_POINT_LEGEND, extreme_point_legend


def publish(
    visualizer: Visualizer,
    name: str,
    picture: np.ndarray,
    show: bool = False,
    wait_time: float = 0,
    out_file: str | None = None,
    step: int = 0,
) -> None:
    """Show, save or log a finished picture.

    Args:
        visualizer: Whose window or backends are used.
        name: Name for the backends and the window.
        picture: RGB, uint8.
        show: Open a window; nothing is written to the backends then.
        wait_time: Seconds that the window stays; 0 waits for a key.
        out_file: File to write instead of the backends.
        step: Step for the backends.
    """
    visualizer.set_image(picture)
    if show:
        visualizer.show(picture, win_name=name, wait_time=wait_time)
    if out_file is not None:
        save_image(Path(out_file), picture)
    elif not show:
        visualizer.add_image(name, picture, step)


@VISUALIZERS.register_module()
class WeakLabelVisualizer(DetLocalVisualizer):
    """Draws weak labels, masks and predictions of whole images, large enough to read.

    Ground truth and prediction stand side by side. Beside MMDetection's ``masks``,
    ``bboxes``, ``labels`` and ``scores``, an ``InstanceData`` may hold ``points``
    ``(n, 2)`` and ``extreme_points`` ``(n, 4, 2)``. Small images are enlarged.

    Args:
        name: Name of the instance.
        min_side: The shorter side of a drawn image is at least this many pixels.
        max_side: The longer side is at most this many pixels.
        **kwargs: Arguments of ``mmdet.DetLocalVisualizer``.
    """

    def __init__(
        self,
        name: str = 'visualizer',
        min_side: int = 256,
        max_side: int = 1024,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, **kwargs)
        self.min_side = min_side
        self.max_side = max_side

    @master_only
    def add_datasample(
        self,
        name: str,
        image: np.ndarray,
        data_sample: Any = None,
        draw_gt: bool = True,
        draw_pred: bool = True,
        show: bool = False,
        wait_time: float = 0,
        out_file: str | None = None,
        pred_score_thr: float = 0.3,
        step: int = 0,
    ) -> None:
        """Draw one ``mmdet.structures.DetDataSample``.

        Args:
            name: Name for the backends.
            image: RGB ``(H, W, 3)``, uint8, in the size of the labels.
            data_sample: Holds ``gt_instances``, ``pred_instances`` or both.
            draw_gt: Draw the ground truth.
            draw_pred: Draw the prediction.
            show: Open a window.
            wait_time: Seconds that the window stays.
            out_file: File to write.
            pred_score_thr: Least score of a drawn prediction.
            step: Step for the backends.
        """
        classes = (self.dataset_meta or {}).get('classes') or ()
        sides = dict(min_side=self.min_side, max_side=self.max_side)
        tiles, legend = [], []
        for wanted, key, title, score_thr in (
            (draw_gt, 'gt_instances', 'labels', 0.0),
            (draw_pred, 'pred_instances', 'prediction', pred_score_thr),
        ):
            if not wanted or data_sample is None or key not in data_sample:
                continue
            instances = data_sample.get(key)
            picture = draw_instances(image, instances, classes, score_thr, **sides)
            tiles.append(Tile(picture, f'{title}, image {data_sample.get("img_id")}'))
            if 'extreme_points' in instances:
                legend = EXTREME_POINT_LEGEND
        if not tiles:
            tiles = [Tile(Canvas(image, **sides).image)]
        picture = contact_sheet(tiles, len(tiles), '', legend)
        publish(self, name, picture, show, wait_time, out_file, step)


@VISUALIZERS.register_module()
class ObjectCropVisualizer(Visualizer):
    """Draws a labeler's object: weak label, ground truth and prediction side by side.

    The picture shows the object's surroundings (the crop and a margin) in the original
    image, so that the pasted mask is what is seen.

    Args:
        name: Name of the instance.
        margin: Border around box and crop, as a part of the longer side of the box.
        **kwargs: Arguments of ``mmengine.visualization.Visualizer``.
    """

    def __init__(
        self, name: str = 'visualizer', margin: float = 0.25, **kwargs: Any
    ) -> None:
        super().__init__(name, **kwargs)
        self.margin = margin

    @master_only
    def add_datasample(
        self,
        name: str,
        image: np.ndarray,
        data_sample: Any = None,
        draw_gt: bool = True,
        draw_pred: bool = True,
        show: bool = False,
        wait_time: float = 0,
        out_file: str | None = None,
        pred_score_thr: float = 0.0,
        step: int = 0,
    ) -> None:
        """Draw one :class:`mmwsis.structures.ObjectCropSample`.

        Args:
            name: Name for the backends.
            image: The whole image, RGB ``(H, W, 3)``, uint8.
            data_sample: The object; ``gt_mask`` and ``pred_mask`` are drawn if known.
            draw_gt: Draw the ground truth.
            draw_pred: Draw the prediction.
            show: Open a window.
            wait_time: Seconds that the window stays.
            out_file: File to write.
            pred_score_thr: A prediction that scores lower is not drawn.
            step: Step for the backends.
        """
        classes = (self.dataset_meta or {}).get('classes') or ()
        tiles = object_tiles(
            image,
            data_sample,
            classes,
            draw_gt=draw_gt,
            draw_pred=draw_pred and _score(data_sample) >= pred_score_thr,
            margin=self.margin,
        )
        legend = extreme_point_legend([data_sample])
        picture = contact_sheet(tiles, len(tiles), '', legend)
        publish(self, name, picture, show, wait_time, out_file, step)


def object_tiles(
    image: np.ndarray,
    sample: Any,
    classes: tuple[str, ...] = (),
    draw_gt: bool = True,
    draw_pred: bool = True,
    margin: float = 0.25,
) -> list[Tile]:
    """Draw weak label, ground truth and prediction of one object.

    Args:
        image: The whole image, RGB ``(H, W, 3)``, uint8.
        sample: :class:`mmwsis.structures.ObjectCropSample`.
        classes: Class names.
        draw_gt: Draw ``gt_mask`` if known.
        draw_pred: Draw ``pred_mask`` if known.
        margin: Border around the box, as a part of its longer side.

    Returns:
        One to three tiles.
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = _surroundings(sample, height, width, margin)
    part = np.ascontiguousarray(image[y0:y1, x0:x1])
    canvas = Canvas(part)
    bx0, by0, bx1, by1 = sample.bbox
    canvas.box((bx0 - x0, by0 - y0, bx1 - x0, by1 - y0), (255, 255, 255))
    if 'extreme_points' in sample:
        points = sample.extreme_points.cpu().numpy()
        colors = EXTREME_POINT_COLORS.values()
        for (x, y), color in zip(points, colors, strict=True):
            canvas.point(x - x0, y - y0, color)
    name = class_name(sample.get('label'), classes)
    ids = f'image {sample.get("img_id")}, annotation {sample.get("ann_id")}'
    tiles = [Tile(canvas.image, f'{ids}: {name}')]
    masks = {}
    for wanted, key in ((draw_gt, 'gt_mask'), (draw_pred, 'pred_mask')):
        if wanted and sample.get(key) is not None:
            masks[key] = annotation_mask(
                sample.get(key), (height, width), f'{ids}: {key}'
            )
    if 'gt_mask' in masks:
        truth = Canvas(part).mask(masks['gt_mask'][y0:y1, x0:x1], (60, 220, 90))
        tiles.append(Tile(truth.image, 'ground truth'))
    if 'pred_mask' in masks:
        drawn = Canvas(part).mask(masks['pred_mask'][y0:y1, x0:x1], (255, 70, 60))
        caption = f'prediction, score {_score(sample):.2f}'
        if 'gt_mask' in masks:
            overlap = mask_overlap(masks['pred_mask'], masks['gt_mask'])
            caption += f', IoU {overlap:.2f}'
        tiles.append(Tile(drawn.image, caption))
    return tiles


def _score(sample: Any) -> float:
    score = sample.get('pred_score')
    return 1.0 if score is None else float(score)


def _surroundings(
    sample: Any, height: int, width: int, margin: float
) -> tuple[int, int, int, int]:
    """Part of the image around an object, half-open and inside the image."""
    x0, y0, x1, y1 = sample.bbox
    border = margin * max(x1 - x0, y1 - y0) + 4
    left, top = max(0, int(x0 - border)), max(0, int(y0 - border))
    return (
        left,
        top,
        min(width, max(left + 1, int(np.ceil(x1 + border)))),
        min(height, max(top + 1, int(np.ceil(y1 + border)))),
    )
