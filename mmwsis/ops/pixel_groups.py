"""Pixels of objects and background, drawn from proposals around points (WISE)."""

from typing import NamedTuple

import numpy as np

from mmwsis.structures.proposals import Proposals

from .background_pixels import uncovered_pixels
from .proposals import points_in_proposals, proposal_probabilities, proposal_union
from .tensor_checks import as_integer, as_number


class PixelGroups(NamedTuple):
    """Pixels whose embeddings are compared; all are ``(x, y)``, int64.

    Attributes:
        anchors: (A, 2), the K points; behind them pixels of the background, if asked.
        pixels: (G, k, 2), k pixels from the mask of each point, and if there is any
            k from the background.
        same: (A, G) bool, whether an anchor belongs to the object of a group.
        chosen: (K,) int64, the proposal that was drawn as the mask of each point; -1
            where none covers it, whose mask is its pixel.
    """

    anchors: np.ndarray
    pixels: np.ndarray
    same: np.ndarray
    chosen: np.ndarray


def draw_pixel_groups(
    points: np.ndarray,
    proposals: Proposals,
    generator: np.random.Generator,
    samples_per_group: int | None = None,
    sample_min_score: float = 0.0,
    cand_min_score: float = 0.5,
    single_point: bool = False,
    background_anchors: bool = False,
) -> PixelGroups:
    """Draw a mask for each point, and pixels from it and from the background.

    `WISE <https://arxiv.org/abs/1906.06392>`__, section 3.2. The mask of a point is a
    proposal that covers it, drawn by its score (:func:`proposal_probabilities`); the
    background is what no candidate of any point covers (:func:`uncovered_pixels`), or
    if that is empty, what no drawn mask covers. Pixels are drawn uniformly, with
    replacement.

    Args:
        points: (K, 2), (x, y) in pixels of the image as it is now.
        proposals: N proposals; their size is that of the image.
        generator: Random generator.
        samples_per_group: k, pixels of each group. Defaults to None: K, the paper's.
        sample_min_score: Proposals with a lower score are not drawn. Defaults to 0.0.
        cand_min_score: Candidates have a higher score. Defaults to 0.5.
        single_point: Whether proposals that cover several points are no candidates.
            Defaults to False.
        background_anchors: Add K pixels of the background to the anchors. Defaults to
            False.

    Returns:
        The groups; without points all are empty.

    Raises:
        ValueError: A point outside the image, or wrong settings.

    Example:
        >>> rle = dict(size=[2, 3], counts='132')
        >>> proposals = Proposals([rle], [0.9], (2, 3))
        >>> found = draw_pixel_groups([[1, 1]], proposals, np.random.default_rng(0))
        >>> found.anchors.tolist(), found.same.tolist(), found.pixels.shape
        ([[1, 1]], [[True, False]], (2, 1, 2))
    """
    points = np.asarray(points)
    sample_min_score = as_number('sample_min_score', sample_min_score)
    cand_min_score = as_number('cand_min_score', cand_min_score)
    count = len(points)
    if samples_per_group is not None:
        count = as_integer('samples_per_group', samples_per_group, 1)
    hits = points_in_proposals(points, proposals)
    anchors = np.floor(points + 0.5).astype(np.int64)
    chosen = _drawn_proposals(hits, proposals, sample_min_score, generator)
    background = uncovered_pixels(points, proposals, cand_min_score, single_point)
    if not background.any():
        background = ~proposal_union(proposals[np.unique(chosen[chosen >= 0])])
        x, y = anchors[chosen < 0].T
        background[y, x] = False
    outside = np.flatnonzero(background) if len(points) else np.zeros(0, np.int64)
    pixels = _drawn_pixels(anchors, chosen, proposals, count, generator)
    same = np.eye(len(points), dtype=bool)
    if len(outside):
        drawn = outside[generator.integers(len(outside), size=count)]
        pixels = np.concatenate([pixels, _x_and_y(drawn, proposals.size)[None]])
        same = np.pad(same, ((0, 0), (0, 1)))
        if background_anchors:
            drawn = outside[generator.integers(len(outside), size=len(points))]
            anchors = np.concatenate([anchors, _x_and_y(drawn, proposals.size)])
            same = np.pad(same, ((0, len(points)), (0, 0)))
            same[len(points) :, -1] = True
    return PixelGroups(anchors, pixels, same, chosen)


def _drawn_proposals(
    hits: np.ndarray,
    proposals: Proposals,
    min_score: float,
    generator: np.random.Generator,
) -> np.ndarray:
    """One of the hits of each point, (K,); -1 without any."""
    if not len(proposals):
        return np.full(len(hits), -1)
    scores = proposals.scores
    hits = hits & (np.maximum(scores, 0) >= min_score)
    sums = proposal_probabilities(hits, scores).cumsum(axis=1)
    # Scaled by what the sum really is, so that the last hit is not passed.
    limits = generator.random((len(hits), 1)) * sums[:, -1:]
    return np.where(hits.any(axis=1), (sums > limits).argmax(axis=1), -1)


def _drawn_pixels(
    anchors: np.ndarray,
    chosen: np.ndarray,
    proposals: Proposals,
    count: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """``(K, count, 2)`` pixels of the chosen masks, found in their run lengths."""
    pixels = np.repeat(anchors[:, None], count, axis=1)
    covered = chosen >= 0
    some, place = np.unique(chosen[covered], return_inverse=True)
    runs = proposals[some].current_runs
    _, start, stop = runs.spans
    behind = (stop - start).cumsum()  # pixels of all masks up to each run
    first = np.append(0, runs.areas.cumsum())[place][:, None]
    areas = runs.areas[place][:, None]
    rank = first + generator.integers(areas, size=(len(place), count))
    run = np.searchsorted(behind, rank, side='right')
    number = stop[run] - (behind[run] - rank)
    pixels[covered] = np.stack(np.divmod(number, proposals.size[0]), axis=-1)
    return pixels


def _x_and_y(index: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Pixels of row-major indices."""
    y, x = np.divmod(index, size[1])
    return np.stack([x, y], axis=-1)
