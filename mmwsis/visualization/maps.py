"""Maps over images: heat of a class, instances by number, semantic classes."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmwsis.formats.class_maps import read_class_maps
from mmwsis.formats.map_index import MapIndex
from mmwsis.formats.panoptic_files import PanopticFile
from mmwsis.formats.segment_maps import VOID
from mmwsis.formats.semantic_maps import BACKGROUND, read_semantic_map

from .canvas import Canvas
from .coco_files import read_image, spread
from .palette import Color, distinct_color, heatmap
from .sheet import Tile, contact_sheet

_UNKNOWN = (255, 255, 255)
_DOT = (90, 230, 255)  # on black and violet as on yellow


def draw_heat(
    image: np.ndarray,
    values: np.ndarray,
    low: float = 0.0,
    high: float = 1.0,
    alpha: float = 0.6,
    name: str = 'inferno',
    min_side: int = 256,
    max_side: int = 640,
) -> np.ndarray:
    """Lay a map of numbers over an image; the higher, the less of the image is seen.

    Args:
        image: RGB ``(H, W, 3)``, uint8.
        values: ``(h, w)`` of any resolution; what is not finite is left out.
        low: Value of the first colour.
        high: Value of the last colour.
        alpha: Opacity of the highest value, 0 to 1; the lowest has none.
        name: Matplotlib colour map.
        min_side: See :class:`Canvas`.
        max_side: See :class:`Canvas`.

    Returns:
        RGB image, uint8.

    Raises:
        ValueError: ``values`` is no map.
    """
    if values.ndim != 2 or not values.size:
        raise ValueError(f'Expected a map (h, w), got shape {values.shape}.')
    canvas = Canvas(image, min_side, max_side).image
    size = canvas.shape[1], canvas.shape[0]
    values = np.asarray(values, dtype=np.float32)
    values = np.where(np.isfinite(values), values, low).astype(np.float32)
    large = cv2.resize(values, size, interpolation=cv2.INTER_LINEAR)
    weight = alpha * np.clip((large - low) / max(high - low, 1e-12), 0, 1)[..., None]
    colors = heatmap(large, low, high, name)
    return ((1 - weight) * canvas + weight * colors).round().astype(np.uint8)


def draw_numbers(
    image: np.ndarray,
    numbers: np.ndarray,
    background: int | None = 0,
    unknown: int | None = None,
    alpha: float = 0.55,
    min_side: int = 256,
    max_side: int = 640,
) -> np.ndarray:
    """Tint every number of an instance map or semantic map in a colour of its own.

    Args:
        image: RGB ``(H, W, 3)``, uint8.
        numbers: ``(h, w)`` integers of any resolution.
        background: Number that is left as it is; None tints every one.
        unknown: Number that becomes white, such as 255 in semantic maps.
        alpha: Opacity of the tint, 0 to 1.
        min_side: See :class:`Canvas`.
        max_side: See :class:`Canvas`.

    Returns:
        RGB image, uint8.

    Raises:
        ValueError: ``numbers`` is no map of integers.
    """
    if numbers.ndim != 2 or not numbers.size or numbers.dtype.kind not in 'iub':
        raise ValueError(
            f'Expected a map (h, w) of integers, got {numbers.shape} of '
            f'{numbers.dtype}.'
        )
    canvas = Canvas(image, min_side, max_side).image
    found, index = np.unique(numbers, return_inverse=True)
    size = canvas.shape[1], canvas.shape[0]
    index = index.reshape(numbers.shape).astype(np.float32)  # exact up to 2^24
    large = cv2.resize(index, size, interpolation=cv2.INTER_NEAREST).astype(np.int64)
    colors = np.array(
        [_UNKNOWN if n == unknown else distinct_color(int(n)) for n in found.tolist()]
    )
    opacity = np.full(len(found), alpha)
    if background is not None:
        opacity[found == background] = 0.0
    weight = opacity[large][..., None]
    return ((1 - weight) * canvas + weight * colors[large]).round().astype(np.uint8)


def class_map_tiles(
    image: np.ndarray,
    labels: Sequence[int],
    maps: np.ndarray,
    classes: Sequence[str],
    caption: str = '',
    points: Sequence[np.ndarray] | None = None,
) -> list[Tile]:
    """One tile per class: its map over the image.

    Args:
        image: RGB ``(H, W, 3)``, uint8.
        labels: ``(K,)`` class of each map.
        maps: ``(K, h, w)``, any resolution; drawn from 0 to their own highest value.
        classes: Class names.
        caption: Text before the class name.
        points: ``(N, 2)`` x and y of pixels, such as peaks, for each map. Defaults to
            None: there are none.

    Returns:
        K tiles; the plain image where K is 0.
    """
    if not len(labels):
        return [Tile(Canvas(image).image, f'{caption}no class')]
    tiles = []
    for index, (label, values) in enumerate(zip(labels, maps, strict=True)):
        high = float(np.max(values))
        rgb = draw_heat(image, values, 0.0, max(high, 1e-6))
        text = f'{caption}{classes[int(label)]}, up to {high:.2f}'
        if points is not None:
            rgb = draw_dots(rgb, image, points[index], [_DOT] * len(points[index]))
            text += f', {len(points[index])} peaks'
        tiles.append(Tile(rgb, text))
    return tiles


def draw_dots(
    drawn: np.ndarray, image: np.ndarray, points: np.ndarray, colors: Sequence[Color]
) -> np.ndarray:
    """Draw dots on an enlarged image.

    Args:
        drawn: RGB ``(h, w, 3)``, uint8.
        image: The image that it shows, whose pixels the points are.
        points: ``(N, 2)``, x and y; the centre of a pixel has integer coordinates.
        colors: N colours.

    Returns:
        RGB ``(h, w, 3)``, uint8.
    """
    scale = drawn.shape[1] / image.shape[1]
    canvas = Canvas(drawn, min_side=1, max_side=max(drawn.shape))
    for (x, y), color in zip(points, colors, strict=True):
        canvas.point((x + 0.5) * scale, (y + 0.5) * scale, color, 4, pixel=False)
    return canvas.image


def map_sheet(
    folder: str | os.PathLike,
    img_dir: str | os.PathLike,
    file_names: dict[Any, str],
    num: int = 6,
    title: str = '',
) -> np.ndarray:
    """Contact sheet of class maps, semantic maps or panoptic maps.

    Args:
        folder: Finished folder of maps, or JSON of panoptic maps.
        img_dir: Folder of the images.
        file_names: Image id -> image file below ``img_dir``.
        num: Number of images, spread over the folder.
        title: Heading.

    Returns:
        RGB image, uint8.

    Raises:
        FileNotFoundError: The folder is not finished, or an image is missing.
        ValueError: The folder has no image of ``file_names``.
    """
    path, kind = Path(folder), 'panoptic_maps'
    index: MapIndex | PanopticFile
    if path.suffix == '.json':
        index = PanopticFile(path, path.with_suffix(''))
    else:
        index = MapIndex(path)
        kind = index.kind
    ids = [key for key in index.image_ids if key in file_names]
    if kind == 'class_maps':
        shown = [key for key in ids if index.entry(key).get('labels')]
        ids = shown or ids
    if not ids:
        raise ValueError(f'{folder} has no map of these {len(file_names)} images.')
    tiles = []
    for image_id in spread(ids, num):
        image = read_image(Path(img_dir, file_names[image_id]))
        draw = panoptic_tiles if kind == 'panoptic_maps' else map_tiles
        tiles += draw(index, image_id, image)
    return contact_sheet(tiles, 4, title or f'{path.name}: {kind}')


def panoptic_tiles(file: PanopticFile, image_id: Any, image: np.ndarray) -> list[Tile]:
    """Tile of the segments of one image.

    Args:
        file: Panoptic maps.
        image_id: Which image.
        image: RGB ``(H, W, 3)``, uint8.

    Returns:
        One tile, void in white; its caption counts the segments of every class.
    """
    names = [
        file.categories[segment['category_id']]['name']
        for segment in file.segments(image_id)
    ]
    listed = ', '.join(f'{name} {names.count(name)}' for name in dict.fromkeys(names))
    rgb = draw_numbers(image, file.segment_map(image_id), None, VOID)
    return [Tile(rgb, f'image {image_id}: {listed or "no segment"}')]


def map_tiles(index: MapIndex, image_id: Any, image: np.ndarray) -> list[Tile]:
    """Tiles of one image of a folder of class maps or semantic maps.

    Args:
        index: ``mmwsis.formats.map_index.MapIndex`` of the folder.
        image_id: Which image.
        image: RGB ``(H, W, 3)``, uint8.

    Returns:
        One tile per class map; one tile of a semantic map.
    """
    path, caption = index.path(image_id), f'image {image_id}: '
    if index.kind == 'class_maps':
        found = read_class_maps(path)
        name = next(key for key, value in found.maps.items() if value.ndim == 3)
        maps = found.maps[name].astype(np.float32)
        return class_map_tiles(image, found.labels, maps, index.classes, caption)
    numbers = read_semantic_map(path)
    background = 0 if index.classes[:1] == (BACKGROUND,) else None
    unknown = index.content.get('ignore_index')
    present = [n for n in np.unique(numbers).tolist() if n != unknown]
    names = ', '.join(index.classes[n] for n in present)
    if unknown is not None and (numbers == unknown).any():
        names += f', unknown {np.mean(numbers == unknown):.0%} (white)'
    rgb = draw_numbers(image, numbers, background, unknown)
    return [Tile(rgb, caption + names)]
