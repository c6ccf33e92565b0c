"""Class-agnostic mask proposals without any training."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from skimage.segmentation import felzenszwalb

from mmwsis.structures.proposals import Proposals

from .bit_masks import pack_bits
from .color_features import (
    COLOR_SPACES,
    ORIENTATIONS,
    color_edges,
    gradient_orientations,
)
from .objectness import objectness
from .overlap_suppression import suppress_overlaps
from .region_graph import RegionGraph, color_bins, region_graph
from .region_merging import merge_regions
from .region_rle import encode_regions
from .tensor_checks import as_integer, as_number

# Overlaps are measured on every fourth pixel of every fourth row.
_STRIDE = 4


class _Candidates(NamedTuple):
    """Unions of regions of one segmentation: (H, W), (N, R), (N,) and (N, words)."""

    label_map: np.ndarray
    member: np.ndarray
    scores: np.ndarray
    bits: np.ndarray


def generate_proposals(
    image: np.ndarray,
    scales: Sequence[float] = (50, 100, 200, 400),
    color_spaces: Sequence[str] = ('lab', 'hsv'),
    sigma: float = 0.8,
    min_size: int = 50,
    min_area: int = 50,
    min_area_share: float = 0.0005,
    max_area_share: float = 0.9,
    max_overlap: float = 0.9,
    max_num: int = 1000,
) -> Proposals:
    """Find masks that may be objects from colours and edges alone.

    The image is segmented by the graph-based method of `Felzenszwalb and Huttenlocher
    <https://doi.org/10.1023/B:VISI.0000022288.19776.77>`__ at several scales and in
    several colour spaces. In every segmentation the most similar neighbours are merged
    until one region remains, as in `Selective Search
    <https://doi.org/10.1007/s11263-013-0620-5>`__, which gives boxes; here every region
    on the way is a mask with a score (:func:`~mmwsis.ops.objectness.objectness`). Of
    masks that overlap much, only the best stays.

    Nothing is random, and the number of threads changes nothing.

    Args:
        image: (H, W, 3) uint8 RGB.
        scales: Of the segmentation, each positive; larger ones give larger regions.
            Defaults to (50, 100, 200, 400).
        color_spaces: 'lab' and 'hsv', or one of them. Defaults to both.
        sigma: Standard deviation in pixels of the smoothing before the segmentation, at
            least 0. Defaults to 0.8.
        min_size: Least number of pixels of a region of a segmentation. Defaults to 50.
        min_area: Least number of pixels of a proposal. Defaults to 50.
        min_area_share: Least share of the image, in [0, 1]. Defaults to 0.0005.
        max_area_share: Largest share of the image, in [0, 1]. Defaults to 0.9.
        max_overlap: Largest IoU of two proposals, in (0, 1], measured on every fourth
            pixel of every fourth row. Defaults to 0.9.
        max_num: Proposals at most. Defaults to 1000.

    Returns:
        The proposals, the best first, with scores in [0, 1]; a small or uniform image
        may have none.

    Raises:
        TypeError: The image is no array of uint8.
        ValueError: It has another shape or no pixels, or a setting is out of range.

    Example:
        >>> image = np.zeros((40, 50, 3), dtype=np.uint8)
        >>> image[10:30, 15:35] = 220, 40, 40  # an object
        >>> found = generate_proposals(image)
        >>> from pycocotools import mask as coco_mask
        >>> coco_mask.toBbox(found.rles[0]).tolist()
        [15.0, 10.0, 20.0, 20.0]
    """
    image = _as_image(image)
    scales, spaces = _check_bases(scales, color_spaces)
    sigma = as_number('sigma', sigma, '[0, inf)')
    min_size = as_integer('min_size', min_size, 1)
    least = as_number('min_area_share', min_area_share, '[0, 1]') * image[..., 0].size
    least = max(as_integer('min_area', min_area, 1), least)
    most = as_number('max_area_share', max_area_share, '[0, 1]') * image[..., 0].size
    max_overlap = as_number('max_overlap', max_overlap, '(0, 1]')
    max_num = as_integer('max_num', max_num, 1)
    candidates = []
    for label_map, graph, textures in _segmentations(
        image, scales, spaces, sigma, min_size
    ):
        member = merge_regions(graph, textures)
        areas = member @ graph.areas
        member = member[(areas >= least) & (areas <= most)]
        pixels = label_map[::_STRIDE, ::_STRIDE].ravel()
        bits = pack_bits(np.take(member, pixels, axis=1))
        scores = objectness(graph, member).score
        candidates.append(_Candidates(label_map, member, scores, bits))
    return _select(candidates, max_overlap, max_num)


def _as_image(image: Any) -> np.ndarray:
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        given = getattr(image, 'dtype', type(image).__name__)
        raise TypeError(f'image: expected an array of uint8, got {given}.')
    if image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f'image: expected shape (H, W, 3), got {image.shape}.')
    return image


def _check_bases(
    scales: Sequence[float], color_spaces: Sequence[str]
) -> tuple[list[float], list[str]]:
    if isinstance(scales, (int, float)) or isinstance(color_spaces, str):
        raise TypeError(
            f'scales and color_spaces are lists, got {scales!r} and {color_spaces!r}.'
        )
    unknown = [name for name in color_spaces if name not in COLOR_SPACES]
    if unknown or not len(scales) or not len(color_spaces):
        raise ValueError(
            f'color_spaces: expected some of {sorted(COLOR_SPACES)} and at least one '
            f'scale, got {color_spaces!r} and the scales {scales!r}.'
        )
    return [as_number('scales', scale, '(0, inf)') for scale in scales], [*color_spaces]


def _segmentations(
    image: np.ndarray,
    scales: Sequence[float],
    color_spaces: Sequence[str],
    sigma: float,
    min_size: int,
) -> Iterator[tuple[np.ndarray, RegionGraph, np.ndarray]]:
    """Label map, graph and textures (R, 8) of every segmentation."""
    lab = COLOR_SPACES['lab'](image)
    edges = color_edges(lab)
    directions, lengths = gradient_orientations(lab[..., 0])
    for space in color_spaces:
        channels = lab if space == 'lab' else COLOR_SPACES[space](image)
        bins = color_bins(channels)
        for scale in scales:
            label_map = felzenszwalb(channels, scale, sigma, min_size)
            graph = region_graph(label_map, bins, edges)
            textures = np.bincount(
                (label_map * ORIENTATIONS + directions).ravel(),
                lengths.ravel(),
                minlength=len(graph.areas) * ORIENTATIONS,
            )
            yield label_map, graph, textures.reshape(-1, ORIENTATIONS)


def _select(
    candidates: Sequence[_Candidates], max_overlap: float, max_num: int
) -> Proposals:
    """Sort the candidates of all segmentations, and encode those that stay."""
    scores = np.concatenate([each.scores for each in candidates])
    order = np.argsort(-scores, kind='stable')
    bits = np.concatenate([each.bits for each in candidates])[order]
    kept = order[suppress_overlaps(bits, max_overlap, max_num)]
    rles: dict[int, dict[str, Any]] = {}
    start = 0
    for label_map, member, *_ in candidates:
        own = kept[(kept >= start) & (kept < start + len(member))]
        rles.update(zip(own.tolist(), encode_regions(label_map, member[own - start])))
        start += len(member)
    size = candidates[0].label_map.shape
    return Proposals([rles[index] for index in kept.tolist()], scores[kept], size)
