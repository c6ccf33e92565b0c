"""How much of an image is called background, by the score that proposals must exceed.

WISE takes what no candidate of any point covers for background. The scores of the
built-in generator are not calibrated, so that the limit has to be measured on some
images with masks. Every object gets one point, drawn uniformly from its mask, the same
for every limit.

Examples:
    python benchmarks/proposal_background.py annotations.json proposals/built_in
"""

import argparse

import numpy as np
from pycocotools.coco import COCO
from side_by_side import table_header, table_row

from mmwsis.formats.proposals import ProposalStore
from mmwsis.ops import points_in_proposals, proposal_coverage
from mmwsis.ops.interior_points import interior_point
from mmwsis.structures import Proposals

LIMITS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6)
# Of the best score among the proposals that cover the point.
SHARES = (0.7, 0.8, 0.9)


def shares(background: np.ndarray, objects: np.ndarray) -> tuple[float, ...]:
    """Of pixels called background, of them truly so, of objects called so, and if any.

    Args:
        background: (H, W) bool, as called.
        objects: (H, W) bool, as is.
    """
    true = (background & ~objects).sum() / background.sum() if background.any() else 1.0
    lost = (background & objects).sum() / objects.sum()
    return background.mean(), true, lost, background.any()


def image_shares(proposals: Proposals, masks: np.ndarray, seed: int) -> np.ndarray:
    """:func:`shares` for every limit, (L, 4)."""
    rng = np.random.default_rng(seed)
    points = np.array([interior_point(mask, 'uniform', rng) for mask in masks])
    hits, scores = points_in_proposals(points, proposals), proposals.scores
    best = np.where(hits, scores, -np.inf).max(axis=1, initial=-np.inf, keepdims=True)
    candidates = [hits & (scores > limit) for limit in LIMITS]
    candidates += [hits & (scores >= share * best) for share in SHARES]
    covered = [proposal_coverage(proposals[one.any(axis=0)]) > 0 for one in candidates]
    return np.array([shares(~one, masks.any(axis=0)) for one in covered])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('annotations', help='COCO JSON with masks')
    parser.add_argument('proposals', help='folder or file of its proposals')
    args = parser.parse_args()
    coco, store = COCO(args.annotations), ProposalStore(args.proposals)
    found = []
    for image in coco.loadImgs(coco.getImgIds()):
        annotations = coco.loadAnns(coco.getAnnIds(image['id'], iscrowd=False))
        masks = [coco.annToMask(one).astype(bool) for one in annotations]
        masks = [mask for mask in masks if mask.any()]
        if masks:
            proposals = store.read(image)
            found.append(image_shares(proposals, np.stack(masks), image['id']))
    print(f'{len(found)} images')
    print(
        table_header(
            *('score', 'called background', 'truly background'),
            *('objects called background', 'images with some'),
        )
    )
    names = [f'> {limit}' for limit in LIMITS]
    names += [f'>= {share} of the best' for share in SHARES]
    for name, row in zip(names, np.mean(found, axis=0)):
        print(table_row(name, *(f'{100 * value:.0f} %' for value in row)))


if __name__ == '__main__':
    main()
