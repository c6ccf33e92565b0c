"""How well a classifier tells the tags of images, and whether it tells them at all.

Class maps of a classifier that has learned nothing look like maps. Its ranking of the
images says so: the average precision (AP) of a class is then the share of the images
that have it, as that of any random ranking.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

# What decides: a mean AP this share of the way from a random ranking's to 1. A small
# classifier from scratch on 700 photographs, whose maps were worth nothing, got .22 of
# it on the images that it had learned from; that of the synthetic scenes gets .83, one
# with pretrained weights 1.0 ...
MIN_SKILL = 1 / 3
# ... and above that of so many rankings in which the images were shuffled.
SHUFFLES = 99
# Fewer images with a class, or without it, tell nothing about it.
MIN_IMAGES = 10
_CLASSES_SHOWN = 5


class TagAccuracy(NamedTuple):
    """How well scores tell tags.

    Attributes:
        ap: ``(C,)`` average precision of every class, 0 to 1; NaN where no image has it
            or all have it, whose AP is 1 with any scores.
        prevalence: ``(C,)`` share of the images with the class: the AP of a random
            ranking.
        all_right: Share of the images whose classes of logit > 0 are its tags; NaN
            without images.
    """

    ap: np.ndarray
    prevalence: np.ndarray
    all_right: float

    @property
    def mean_ap(self) -> float:
        """Mean AP (mAP) over the classes that have one; NaN if none has."""
        return _mean(self.ap)


def tag_matrix(tags: Iterable[Iterable[int]], num_classes: int) -> np.ndarray:
    """Labels of images as one row of flags each.

    Args:
        tags: Labels in each of N images.
        num_classes: C.

    Returns:
        ``(N, C)`` bool.
    """
    rows = [list(labels) for labels in tags]
    matrix = np.zeros((len(rows), num_classes), dtype=bool)
    for row, labels in zip(matrix, rows):
        row[labels] = True
    return matrix


def tag_accuracy(logits: np.ndarray, tags: np.ndarray) -> TagAccuracy:
    """Compare a classifier's logits with the tags of the images.

    AP is the mean, over the images with the class, of the precision among the images
    ranked at least as high (that of VOC 2010 and later without interpolation).

    Args:
        logits: ``(N, C)``.
        tags: ``(N, C)`` bool.

    Example:
        >>> import numpy as np
        >>> logits = np.array([[2.0, -1.0], [1.0, -2.0], [-1.0, 1.0]])
        >>> tags = np.array([[True, False], [False, False], [True, True]])
        >>> found = tag_accuracy(logits, tags)
        >>> found.ap.round(3), round(found.all_right, 3)
        (array([0.833, 1.   ]), 0.333)
    """
    count = tags.sum(0)
    has_both = (count > 0) & (count < len(tags))
    ap = np.full(tags.shape[1], np.nan)
    for label in np.flatnonzero(has_both):
        ap[label] = _average_precision(logits[:, label], tags[:, label])
    prevalence = count / max(len(tags), 1)
    right = ((logits > 0) == tags).all(1)
    return TagAccuracy(ap, prevalence, float(right.mean()) if len(right) else np.nan)


def _average_precision(scores: np.ndarray, present: np.ndarray) -> float:
    order = np.argsort(-scores, kind='stable')
    hits, descending = np.cumsum(present[order]), -scores[order]
    # Images of one score share a rank, the last of them.
    last = np.searchsorted(descending, descending, side='right') - 1
    precision = hits[last] / (last + 1)
    return float(precision[present[order]].mean())


def judge_tag_accuracy(
    logits: np.ndarray, tags: np.ndarray, classes: Sequence[str]
) -> dict[str, Any]:
    """Measure a classifier, and decide whether it is better than chance.

    A class is judged if ten images have it and ten do not. The classifier is at chance,
    or too little above it for its maps, if its mean AP over these classes is not above
    that of each of 99 rankings in which the images were shuffled (seeded), or less than
    a third of the way from their mean to 1.

    Args:
        logits: ``(N, C)``.
        tags: ``(N, C)`` bool.
        classes: C names.

    Returns:
        JSON-serialisable: ``images``, ``mAP``, ``all_right``, ``per_class`` (``name``,
        ``AP`` and ``prevalence``), ``judged`` (number of classes), ``mAP_judged`` (of
        these), ``chance`` (that of the shuffled rankings), ``needed`` (at it or below,
        the classifier is at chance), ``at_chance`` (None where no class can be judged)
        and ``warnings``.
    """
    found = tag_accuracy(logits, tags)
    count = tags.sum(0)
    judged = np.minimum(count, len(tags) - count) >= MIN_IMAGES
    result = dict(
        images=len(tags),
        mAP=_plain(found.mean_ap),
        all_right=_plain(found.all_right),
        per_class=[
            dict(name=str(name), AP=_plain(ap), prevalence=_plain(share))
            for name, ap, share in zip(classes, found.ap, found.prevalence)
        ],
        judged=int(judged.sum()),
        mAP_judged=None,
        chance=None,
        needed=None,
        at_chance=None,
    )
    if judged.any():
        own = _mean(found.ap[judged])
        shuffled = _shuffled_mean_ap(tags[:, judged])
        chance = float(shuffled.mean())
        needed = max(float(shuffled.max()), chance + MIN_SKILL * (1 - chance))
        result.update(mAP_judged=_plain(own), chance=_plain(chance))
        result.update(needed=_plain(needed), at_chance=own <= needed)
    return dict(result, warnings=list(_warnings(result, found, judged, classes)))


def _shuffled_mean_ap(tags: np.ndarray) -> np.ndarray:
    """Mean AP of every shuffling of N images, ``(SHUFFLES,)``."""
    rng = np.random.default_rng(0)
    ranks = np.arange(1, len(tags) + 1)[:, None]
    values = []
    for _ in range(SHUFFLES):
        # A class's order is of its own: shuffled ones need no scores.
        mixed = rng.permuted(tags, axis=0)
        precision = np.cumsum(mixed, axis=0) / ranks
        values.append(((precision * mixed).sum(0) / mixed.sum(0)).mean())
    return np.array(values)


def _warnings(
    result: dict[str, Any],
    found: TagAccuracy,
    judged: np.ndarray,
    classes: Sequence[str],
) -> Iterable[str]:
    if result['at_chance'] is None:
        yield (
            'whether the classifier has learned its tags cannot be told: no class is '
            f'in {MIN_IMAGES} of the {result["images"]} images and missing in '
            f'{MIN_IMAGES}. Look at the maps; a classifier needs images without each '
            'class, too.'
        )
        return
    if result['at_chance']:
        own, chance, needed = (
            _percent(result[key]) for key in ('mAP_judged', 'chance', 'needed')
        )
        yield (
            f'the classifier is at chance or close: mAP {own} over the tags of the '
            f'{result["images"]} images that it labels, where a random ranking has '
            f'{chance} and more than {needed} is asked for.'
        )
        return
    least = found.prevalence + MIN_SKILL * (1 - found.prevalence)
    weak = np.flatnonzero(judged & (found.ap <= least))
    if len(weak):
        shown = [
            f'{classes[k]} (AP {_percent(found.ap[k])}, in '
            f'{_percent(found.prevalence[k])} of the images)'
            for k in weak[:_CLASSES_SHOWN]
        ]
        if len(weak) > len(shown):
            shown.append(f'{len(weak) - len(shown)} more classes')
        yield f'the classifier is at chance or close for {", ".join(shown)}.'


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float('nan')


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)


def _percent(share: float | None) -> str:
    return '-' if share is None else f'{100 * share:.1f} %'
