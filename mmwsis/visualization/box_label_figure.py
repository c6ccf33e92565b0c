"""From boxes to a label map: GrabCut, proposals, and where they agree."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmwsis.ops import box_agreement, box_label_map

from .canvas import Canvas
from .coco_files import read_image, spread
from .maps import draw_numbers
from .palette import distinct_color
from .samples import class_name
from .sheet import Tile, contact_sheet, save_image


def box_label_tiles(
    image: np.ndarray,
    boxes: np.ndarray,
    labels: np.ndarray,
    masks: Sequence[tuple[np.ndarray, np.ndarray | None]],
    classes: Sequence[str] = (),
    caption: str = '',
) -> list[Tile]:
    """Boxes, GrabCut, proposals, and the instances where both agree.

    Fig. 3 of `Weakly- and Semi-Supervised Panoptic Segmentation
    <https://arxiv.org/abs/1808.03575>`__ (Li et al., ECCV 2018). An object has one
    colour.

    Args:
        image: RGB ``(H, W, 3)``, uint8.
        boxes: ``(N, 4)`` integers ``x0, y0, x1, y1``, without the last row and column.
        labels: ``(N,)``.
        masks: GrabCut and proposal of each box, ``(H, W)`` bool; None without one.
        classes: Class names.
        caption: Text before the first caption.

    Returns:
        Four tiles; pixels of which nothing is known are white in the last.
    """
    colors = [distinct_color(index + 1) for index in range(len(boxes))]
    shown = {name: Canvas(image) for name in ('boxes', 'cut', 'proposals')}
    for box, color, (cut, proposal) in zip(boxes, colors, masks, strict=True):
        shown['cut'].mask(cut, color)
        if proposal is not None:
            shown['proposals'].mask(proposal, color)
        for canvas in shown.values():
            canvas.box(box, color)
    for box, color, label in zip(boxes, colors, labels, strict=True):
        shown['boxes'].text(box[0], box[1], class_name(int(label), classes), color)
    agreements = [
        box_agreement(cut, proposal, box)
        for box, (cut, proposal) in zip(boxes, masks, strict=True)
    ]
    found = box_label_map(boxes, labels, agreements, image.shape[:2], background=-1)
    share = f'{np.mean(found.instances < 0):.0%}'
    without = sum(proposal is None for _, proposal in masks)
    missing = f', {without} of the boxes have none' if without else ''
    return [
        Tile(shown['boxes'].image, f'{caption}boxes'),
        Tile(shown['cut'].image, 'GrabCut'),
        Tile(shown['proposals'].image, f'proposals{missing}'),
        Tile(
            draw_numbers(image, found.instances, unknown=-1, alpha=0.7),
            f'where they agree; {share} unknown (white)',
        ),
    ]


def draw_box_labels(cfg: Config, out_file: str | os.PathLike, num: int = 4) -> Path:
    """Draw how boxes become label maps, on training images.

    Args:
        cfg: Config of ``mmwsis.GrabCutProposals``.
        out_file: Image file to write.
        num: Number of images, spread over those with boxes. Defaults to 4.

    Returns:
        ``out_file``.

    Raises:
        TypeError: The config's model is another one.
        ValueError: No image has a box.
    """
    from mmwsis.models.labelers import GrabCutProposals
    from mmwsis.pseudo_labels.labeling import load_labeler
    from mmwsis.registry import DATASETS

    init_default_scope(cfg.get('default_scope', 'mmdet'))
    model = load_labeler(cfg.model, None, 'cpu')
    if not isinstance(model, GrabCutProposals):
        raise TypeError(
            f'{type(model).__name__} does not label boxes; mmwsis.GrabCutProposals '
            'does. Give its config.'
        )
    dataset = DATASETS.build(cfg.pseudo_label_dataloader.dataset)
    count = range(len(dataset))
    filled = [index for index in count if dataset.get_data_info(index)['instances']]
    if not filled:
        raise ValueError(f'{dataset.ann_file}: no image has a box; nothing to draw.')
    tiles = []
    for index in spread(filled, num):
        packed = dataset[index]
        image, sample = packed['inputs'], packed['data_samples']
        boxes, labels = model.boxes(image, sample)
        masks = list(model.masks(image, sample, boxes))
        names, caption = dataset.metainfo['classes'], f'image {sample.img_id}: '
        rgb = read_image(sample.img_path)
        tiles += box_label_tiles(rgb, boxes, labels, masks, names, caption)
    return save_image(Path(out_file), contact_sheet(tiles, 4))
