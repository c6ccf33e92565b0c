"""How WISE comes from an image to its instances, step by step."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.dataset import pseudo_collate

from mmwsis.utils.arrays import to_numpy

from .canvas import Canvas
from .coco_files import read_image, spread
from .evaluated import evaluated
from .maps import draw_dots, draw_numbers
from .palette import distinct_color
from .relation_figure import training_truth
from .samples import class_name
from .sheet import Tile, contact_sheet, save_image

_BACKGROUND = _NOT_FOUND = (255, 255, 255)
_SHARE = (2, 98)  # percentiles of a component that span its colours


def embedding_colors(embeddings: np.ndarray) -> np.ndarray:
    """Colour embeddings by their three principal components: alike is similar.

    Args:
        embeddings: ``(d, h, w)``, finite.

    Returns:
        RGB ``(h, w, 3)``, uint8: the first component is red. Components that the
        embeddings do not have are grey.

    Raises:
        ValueError: ``embeddings`` is no such map.

    Example:
        >>> embedding_colors(np.array([[[0.0, 0, 1]], [[0, 0, 0]]])).tolist()
        [[[0, 128, 128], [0, 128, 128], [255, 128, 128]]]
    """
    embeddings = np.asarray(embeddings, dtype=np.float64)
    if embeddings.ndim != 3 or not embeddings.size:
        raise ValueError(f'Expected a map (d, h, w), got shape {embeddings.shape}.')
    size = embeddings.shape[1:]
    rows = embeddings.reshape(len(embeddings), -1).T
    rows = rows - rows.mean(axis=0)
    _, axes = np.linalg.eigh(rows.T @ rows)
    axes = axes[:, ::-1][:, :3]
    # An axis and its opposite are the same: that with the larger end is taken.
    largest = np.abs(axes).argmax(axis=0)
    axes = axes * np.sign(axes[largest, np.arange(axes.shape[1])])
    shown = np.full((len(rows), 3), 128, np.uint8)
    for number, values in enumerate((rows @ axes).T):
        low, high = np.percentile(values, _SHARE)
        low, high = (low, high) if high > low else (values.min(), values.max())
        if high - low > 1e-9 * max(1.0, np.abs(rows).max()):
            share = np.clip((values - low) / (high - low), 0, 1)
            shown[:, number] = (255 * share).round()
    return shown.reshape(*size, 3)


def wise_tiles(
    image: np.ndarray,
    found: Any,
    classes: Sequence[str] = (),
    caption: str = '',
    truth: np.ndarray | None = None,
) -> list[Tile]:
    """Blobs and peaks, embedding, assignment, instances; an object has one colour.

    Args:
        image: RGB ``(H, W, 3)``, uint8, the original one.
        found: ``mmwsis.models.detectors.WISEResult`` of it.
        classes: Class names.
        caption: Text before the first caption.
        truth: ``(M, H, W)``, the true masks; white where no object's point is in them.
            Defaults to None: they are not known.

    Returns:
        Four tiles, and one of the truth: what a mask source does not use is the plain
        image.
    """
    points = to_numpy(found.points.points)
    colors = [distinct_color(index + 1) for index in range(len(points))]
    tiles = [
        _blob_tile(image, found, caption),
        _embedding_tile(image, found, points, colors),
        _assignment_tile(image, found, points, colors),
        _instance_tile(image, found, classes),
    ]
    return tiles if truth is None else [*tiles, _truth_tile(image, points, truth)]


def _truth_tile(image: np.ndarray, points: np.ndarray, truth: np.ndarray) -> Tile:
    x, y = points.reshape(-1, 2).T
    canvas = Canvas(image)
    for mask in truth:
        within = np.flatnonzero(np.asarray(mask)[y, x])
        canvas.mask(mask, distinct_color(within[0] + 1) if len(within) else _NOT_FOUND)
    return Tile(canvas.image, f'truth: {_count(len(truth), "object")}')


def _count(number: int, noun: str) -> str:
    return f'{number} {noun}' if number == 1 else f'{number} {noun}s'


def _blob_tile(image: np.ndarray, found: Any, caption: str) -> Tile:
    if found.blobs is None:
        return Tile(Canvas(image).image, f'{caption}L-Net is not trained')
    blobs = found.blobs
    drawn = draw_numbers(image, to_numpy(blobs.ids))
    colors = [distinct_color(index + 1) for index in range(len(blobs.labels))]
    drawn = draw_dots(drawn, image, to_numpy(blobs.points), colors)
    return Tile(drawn, f'{caption}{_count(len(colors), "blob")}, with peaks')


def _embedding_tile(
    image: np.ndarray, found: Any, points: np.ndarray, colors: Sequence
) -> Tile:
    canvas = Canvas(image)
    if found.embeddings is None:
        return Tile(canvas.image, 'no embedding')
    size = canvas.image.shape[1], canvas.image.shape[0]
    shown = embedding_colors(to_numpy(found.embeddings))
    drawn = cv2.resize(shown, size, interpolation=cv2.INTER_LINEAR)
    others = [] if found.background is None else to_numpy(found.background)
    drawn = draw_dots(drawn, image, others, [_BACKGROUND] * len(others))
    drawn = draw_dots(drawn, image, points, colors)
    return Tile(
        drawn,
        f'embedding, its 3 principal components; {_count(len(points), "object")}, and '
        f'{len(others)} of the background in white',
    )


def _assignment_tile(
    image: np.ndarray, found: Any, points: np.ndarray, colors: Sequence
) -> Tile:
    if found.assignment is None:
        return Tile(Canvas(image).image, 'no assignment of pixels')
    drawn = draw_numbers(image, to_numpy(found.assignment))
    drawn = draw_dots(drawn, image, points, colors)
    return Tile(drawn, 'pixels to objects')


def _instance_tile(image: np.ndarray, found: Any, classes: Sequence[str]) -> Tile:
    labels, scores, masks = (to_numpy(entry) for entry in found.instances)
    numbers = to_numpy(found.objects)
    caption = _count(len(labels), 'instance')
    if found.assignment is not None:
        replaced = (np.asarray(found.chosen)[numbers] >= 0).sum()
        caption += f', {replaced} of them a chosen proposal'
    canvas = Canvas(image)
    for mask, number in zip(masks, numbers, strict=True):
        canvas.mask(mask, distinct_color(int(number) + 1))
    for label, score, mask, number in zip(labels, scores, masks, numbers, strict=True):
        rows, columns = np.nonzero(mask)
        if len(rows):
            name = f'{class_name(int(label), classes)} {float(score):.2f}'
            color = distinct_color(int(number) + 1)
            canvas.text(columns.min(), rows.min() + 1, name, color)
    return Tile(canvas.image, caption)


def batch_tiles(
    model: Any,
    data_batch: Mapping[str, Any],
    classes: Sequence[str] = (),
    truths: Sequence[np.ndarray | None] | None = None,
) -> list[list[Tile]]:
    """Run WISE on a batch, for drawing; whatever it is doing stays as it is.

    Args:
        model: ``mmwsis.WISE``.
        data_batch: As the data loader gives it.
        classes: Class names.
        truths: True masks of each image, None where they are not known. Defaults to
            None: those that the batch has are drawn.

    Returns:
        :func:`wise_tiles` of each image.

    Raises:
        TypeError: The model is another one.
    """
    if not hasattr(model, 'intermediates'):
        raise TypeError(
            f'{type(model).__name__} has no blobs and embeddings; mmwsis.WISE does.'
        )
    rows = []
    with evaluated(model, data_batch) as data:
        for index, sample in enumerate(data['data_samples']):
            height, width = sample.img_shape[:2]
            found = model.intermediates(
                data['inputs'][index, :, :height, :width], sample
            )
            image = read_image(sample.img_path)
            truth = truths[index] if truths else _own_truth(image, sample)
            caption = f'image {sample.get("img_id")}: '
            rows.append(wise_tiles(image, found, classes, caption, truth))
    return rows


def _own_truth(image: np.ndarray, sample: Any) -> np.ndarray | None:
    """Masks that a sample has, if they are of the original image."""
    objects = sample.get('gt_instances')
    masks = None if objects is None else objects.get('masks')
    if masks is None or (masks.height, masks.width) != image.shape[:2]:
        return None
    return masks.to_ndarray()


def draw_wise(
    labeler: Any,
    out_file: str | os.PathLike,
    num: int = 4,
) -> Path:
    """Draw how WISE comes to its instances, on training images.

    Objects start from L-Net's blobs, as in prediction, not from the points.

    Args:
        labeler: ``mmwsis.apis.LabelInferencer`` of the network.
        out_file: Image file to write.
        num: Number of images, spread over those with points. Defaults to 4.

    Returns:
        ``out_file``.

    Raises:
        TypeError: The config's model is another one.
        ValueError: No image has a point.
    """
    model, dataset = labeler.model, labeler.dataset()
    count = range(len(dataset))
    filled = [index for index in count if dataset.get_data_info(index)['instances']]
    if not filled:
        raise ValueError(f'{dataset.ann_file}: no image has a point; nothing to draw.')
    truth, rows = training_truth(labeler.cfg.get('data_spec') or {}), []
    for index in spread(filled, num):
        data = pseudo_collate([dataset[index]])
        (sample,) = data['data_samples']
        known = None
        if truth is not None:
            own, size = truth.masked(sample.img_id), tuple(sample.ori_shape[:2])
            known = [truth.mask(annotation, size) for annotation in own]
        rows += batch_tiles(model, data, dataset.metainfo['classes'], [known])
    tiles = [tile for row in rows for tile in row]
    return save_image(Path(out_file), contact_sheet(tiles, len(rows[0])))
