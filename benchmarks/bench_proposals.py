"""Proposals in run lengths against decoding them, one image of PASCAL VOC's size.

Every row runs both implementations alternately in one process on the same input,
after a warm-up, and checks that they agree. Both begin with compressed RLEs, as a file
holds them. Ours unpacks their runs each time, unless a row says otherwise: reading a
file unpacks them to check them, and later steps find them so. Times are processor
seconds, memory how far a call raises the resident memory of the process.

Examples:
    python benchmarks/bench_proposals.py --rounds 7
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as coco_mask
from side_by_side import (
    alternate,
    announce,
    argument_parser,
    mib,
    peak_resident_mib,
    table_header,
    table_row,
)

from mmwsis.ops import (
    match_boxes_to_proposals,
    points_in_proposals,
    proposal_candidates,
    proposal_jaccard,
    proposal_union,
)
from mmwsis.structures import GridMap, Proposals

SIZE = (375, 500)


class Row(NamedTuple):
    """One comparison of two functions with equal results."""

    name: str
    ours: Callable[[], np.ndarray]
    decoding: Callable[[], np.ndarray]


def draw_proposals(count: int, size: tuple[int, int], seed: int = 0) -> Proposals:
    """Wavy ellipses of all sizes, 370 runs each in the middle."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]]
    rles = []
    for phase in range(count):
        centre, axes = rng.random(2) * size, rng.uniform(0.03, 0.4, 2) * size
        wave = 0.08 * np.sin(y * 0.15 + phase) * np.sin(x * 0.2)
        distance = ((y - centre[0]) / axes[0]) ** 2 + ((x - centre[1]) / axes[1]) ** 2
        rles.append(coco_mask.encode(np.asfortranarray(distance + wave < 1, np.uint8)))
    return Proposals.ranked(rles, rng.random(count), size)


def build_rows(count: int, num_points: int, size: tuple[int, int]) -> list[Row]:
    """The comparisons.

    Args:
        count: Proposals of the image.
        num_points: Annotated points.
        size: ``(H, W)`` of the image.
    """
    proposals = draw_proposals(count, size)
    rng = np.random.default_rng(1)
    points = (rng.random((num_points, 2)) * size[::-1]).astype(int)
    columns, rows = points.T
    hits = points_in_proposals(points, proposals)
    candidates = proposal_candidates(hits, proposals.scores)
    chosen = proposals[candidates.any(axis=0)]
    own = proposals[:: max(count // 10, 1)].decode()[:, :, ::-1]
    boxes = np.array([tight_box(mask) for mask in own])
    mirrored = GridMap.identity(size).mirrored()

    def fresh(of: Proposals = proposals) -> Proposals:
        return replace(of)  # forgets its runs

    def decoded_jaccard() -> np.ndarray:
        masks, mine = (
            chosen.decode().reshape(len(chosen), -1),
            own.reshape(len(own), -1),
        )
        common = mine.astype(np.float32) @ masks.T.astype(np.float32)
        return common / (mine.sum(1)[:, None] + masks.sum(1) - common)

    def decoded_match() -> np.ndarray:
        tight = np.array([tight_box(mask) for mask in proposals.decode()])
        iou = np.array([[box_iou(box, other) for other in tight] for box in boxes])
        return np.where(iou.max(1) > 0, iou.argmax(1), -1)

    return [
        Row(
            f'{num_points} points in {count} proposals',
            lambda: points_in_proposals(points, fresh()),
            lambda: proposals.decode()[:, rows, columns].T,
        ),
        Row(
            'the same, unpacked before',
            lambda: points_in_proposals(points, proposals),
            lambda: proposals.decode()[:, rows, columns].T,
        ),
        Row(
            'the same in a mirrored image',
            lambda: points_in_proposals(points, fresh().transformed(mirrored)),
            lambda: proposals.decode()[:, :, ::-1][:, rows, columns].T,
        ),
        Row(
            f'union of {len(chosen)} candidates',
            lambda: proposal_union(fresh(chosen)),
            lambda: chosen.decode().any(axis=0),
        ),
        Row(
            f'Jaccard of {len(own)} masks with {len(chosen)} candidates',
            lambda: proposal_jaccard(own, fresh(chosen)),
            decoded_jaccard,
        ),
        Row(
            f'proposal of each of {len(boxes)} boxes',
            lambda: match_boxes_to_proposals(boxes, fresh()),
            decoded_match,
        ),
    ]


def tight_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """``x0, y0, x1, y1`` of a mask that is not empty."""
    y, x = mask.any(axis=1).nonzero()[0], mask.any(axis=0).nonzero()[0]
    return x[0], y[0], x[-1] + 1, y[-1] + 1


def box_iou(first: Any, second: Any) -> float:
    """IoU of two boxes."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    common = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return common / (sum(areas) - common)


def main() -> None:
    """Print the table."""
    args = argument_parser(__doc__).parse_args()
    announce('cpu', args.threads, args.rounds)
    print(
        table_header(
            'step', 'ours, ms', 'decoded, ms', 'factor (range)', 'ours, MiB', 'MiB'
        )
    )
    for row in build_rows(1000, 20, SIZE):
        np.testing.assert_allclose(row.ours(), row.decoding(), rtol=1e-5)
        ratio = alternate(row.ours, row.decoding, args.rounds)
        times = (f'{1000 * value:.1f}' for value in (ratio.first, ratio.second))
        memory = (mib(peak_resident_mib(one)) for one in (row.ours, row.decoding))
        print(table_row(row.name, *times, str(ratio), *memory), flush=True)


if __name__ == '__main__':
    main()
