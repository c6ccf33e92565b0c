"""One confidence from the signals of a pseudo label: a logistic rule, calibrated once.

A signal counts by how far it lies from the median of its file, so the rule ranks the
labels of one file: scores of two labelers have little in common, and a confidence of
one file is not one of another. A signal that was not measured counts nothing.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from .label_signals import Signals

VIEW_SIGNALS = ('mirrored', 'scaled')
# Any other second file; where there are several their mean counts.
OTHER = 'other'
FEATURES = (
    *('score', 'crf', *VIEW_SIGNALS, OTHER),
    *('fill', 'box_fit', 'parts', 'border', 'overlap'),
)
# Of fit_rule on 1,040 labels of EXITS on photographs of animals and 990 of WISE on
# synthetic scenes; docs/review.md says which, and what it reaches on labels held out.
RULE: dict[str, float] = dict(
    score=6.95,
    crf=4.46,
    mirrored=1.25,
    scaled=0.74,
    other=2.95,
    fill=1.05,
    box_fit=1.81,
    parts=0.58,
    border=0.42,
    overlap=2.37,
    intercept=1.68,
)
_MOST_PARTS, _MOST_SIDES = 4.0, 2.0
GOOD_IOUS = (0.5, 0.75)


def features(signals: Sequence[Signals]) -> np.ndarray:
    """What the rule weighs, of the labels of one file.

    Higher is better: scores and agreements as they are; ``fill`` by its distance from
    the median; ``parts`` (up to 4), ``border`` (up to 2 sides) and ``overlap``
    negative.

    Args:
        signals: N labels, of :func:`~mmwsis.evaluation.label_signals.image_signals`.

    Returns:
        ``(N, 10)`` float64, columns as in :data:`FEATURES`, each minus its median over
        the file; 0 where there is no value.
    """
    columns = [_centred(_feature(signals, name)) for name in FEATURES]
    return np.stack(columns, axis=1)


def _values(signals: Sequence[Signals], name: str) -> np.ndarray:
    values = [one.get(name) for one in signals]
    return np.array([np.nan if v is None else v for v in values], dtype=float)


def _feature(signals: Sequence[Signals], name: str) -> np.ndarray:
    if name == OTHER:
        names = other_names(signals[0]) if signals else []
        table = np.array([_values(signals, key) for key in names])
        if not len(table):
            return np.full(len(signals), np.nan)
        known = np.isfinite(table)
        total = np.where(known, table, 0).sum(axis=0)
        return np.where(known.any(axis=0), total / known.sum(axis=0).clip(1), np.nan)
    values = _values(signals, name)
    if name == 'fill':
        return -np.abs(values - _median(values))
    if name == 'parts':
        return -np.minimum(values, _MOST_PARTS)
    if name == 'border':
        return -np.minimum(values, _MOST_SIDES)
    return -values if name == 'overlap' else values


def other_names(signals: Signals) -> list[str]:
    """Signals that compare with a second labeler.

    Args:
        signals: Of any label of the file.
    """
    return [name for name in signals if name not in FEATURES]


def _median(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else 0.0


def _centred(values: np.ndarray) -> np.ndarray:
    return np.nan_to_num(values - _median(values), nan=0.0)


def confidences(
    signals: Sequence[Signals], rule: Mapping[str, float] | None = None
) -> np.ndarray:
    """Confidence of every label of one file.

    Args:
        signals: N labels.
        rule: Weight of each of :data:`FEATURES`, and ``intercept``. Defaults to
            :data:`RULE`.

    Returns:
        ``(N,)`` float64, 0 to 1, low: look at it first. Empty masks, which have no
        ``fill``, have 0.
    """
    rule = RULE if rule is None else rule
    weights = np.array([rule.get(name, 0.0) for name in FEATURES])
    found = expit(features(signals) @ weights + rule.get('intercept', 0.0))
    return np.where(np.isnan(_values(signals, 'fill')), 0.0, found)


def weakest_signals(
    signals: Sequence[Signals], rule: Mapping[str, float] | None = None
) -> list[str]:
    """The signal that lowers each label's confidence most.

    Args:
        signals: N labels of one file.
        rule: As for :func:`confidences`.

    Returns:
        N names; empty where no signal is below the file's median.
    """
    rule = RULE if rule is None else rule
    weights = np.array([rule.get(name, 0.0) for name in FEATURES])
    parts = features(signals) * weights
    lowest = parts.argmin(axis=1)
    others = other_names(signals[0]) if signals else []
    names = [others[0] if name == OTHER and others else name for name in FEATURES]
    return [
        names[column] if part[column] < 0 else '' for part, column in zip(parts, lowest)
    ]


def fit_rule(
    files: Sequence[Sequence[Signals]], ious: Sequence[np.ndarray]
) -> dict[str, float]:
    """Fit the rule to labels whose true masks are known.

    Logistic regressions for IoU >= 0.5 and >= 0.75 that share their weights, good and
    bad labels counting the same, with a ridge of 1; weights are not negative, so what
    is a good sign by its meaning is never a bad one.

    Args:
        files: The signals of each file's labels.
        ious: Of each file ``(N,)`` IoU with the true mask.

    Returns:
        As :data:`RULE`; the intercept is the mean of both.

    Raises:
        ValueError: All labels are good, or none is.
    """
    inputs = np.concatenate([features(signals) for signals in files])
    found = np.concatenate(ious)
    good = [found >= iou for iou in GOOD_IOUS]
    good = [one for one in good if one.any() and not one.all()]
    if not good:
        raise ValueError(
            f'a rule is fitted to good and bad labels; all {len(found)} are on one '
            f'side of an IoU of {" and of ".join(map(str, GOOD_IOUS))}.'
        )
    signs = np.stack([np.where(one, 1.0, -1.0) for one in good])
    counts = np.stack(
        [np.where(one, 0.5 / one.mean(), 0.5 / (~one).mean()) for one in good]
    )
    split = len(FEATURES)

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        weights, intercepts = values[:split], values[split:]
        margins = signs * (inputs @ weights + intercepts[:, None])
        slopes = -counts * signs * expit(-margins)
        gradient = np.append(slopes.sum(0) @ inputs + weights, slopes.sum(1))
        total = (counts * np.logaddexp(0, -margins)).sum() + weights @ weights / 2
        return total, gradient

    bounds = [(0, None)] * split + [(None, None)] * len(good)
    start = np.zeros(split + len(good))
    best = minimize(loss, start, jac=True, method='L-BFGS-B', bounds=bounds).x
    values = [*best[:split], best[split:].mean()]
    return {n: round(float(v), 2) for n, v in zip((*FEATURES, 'intercept'), values)}
