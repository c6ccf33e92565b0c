"""Proposals of decoded masks."""

import numpy as np
from pycocotools import mask as coco_mask

from mmwsis.structures import Proposals


def proposals_of(masks, scores=None):
    """Ranked proposals; scores must descend if they are left out."""
    masks = np.asarray(masks, bool)
    scores = np.linspace(1, 0, len(masks)) if scores is None else scores
    stack = np.asfortranarray(masks.transpose(1, 2, 0), np.uint8)
    rles = coco_mask.encode(stack) if len(masks) else []
    return Proposals.ranked(rles, scores, masks.shape[1:])
