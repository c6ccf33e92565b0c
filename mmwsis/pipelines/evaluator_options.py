"""What test stages ask of their metrics, so that a report has something to show."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_WITH_RESULTS = ('CocoMetric', 'CocoInstanceMetric', 'LVISMetric')
_WITH_CLASSES = re.compile(
    r'(mmdet\.)?CocoMetric|(mmwsis\.)?'
    '(CocoInstanceMetric|VOCInstanceMetric|PanopticQualityMetric)'
)


def evaluator_options(
    evaluator: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None, results: str
) -> tuple[dict[str, Any], bool]:
    """Options that make metrics keep the predicted masks and report single classes.

    Args:
        evaluator: ``test_evaluator`` of a config: a metric, several or none.
        results: Path for the predictions, without ``.segm.json``.

    Returns:
        Dotted key of the config -> value, and whether masks are kept: of the first
        metric that can.
    """
    several = isinstance(evaluator, (list, tuple))
    options: dict[str, Any] = {}
    kept = False
    for index, metric in enumerate(evaluator if several else [evaluator or {}]):
        key = f'test_evaluator.{index}' if several else 'test_evaluator'
        kind, measured = str(metric.get('type', '')), metric.get('metric', ())
        if not kept and kind.endswith(_WITH_RESULTS) and 'segm' in measured:
            options[f'{key}.outfile_prefix'] = results
            kept = True
        # Upstream calls AP of boxes and of masks the same: the last one stays.
        masks_last = 'segm' not in measured or np.atleast_1d(measured)[-1] == 'segm'
        if masks_last and _WITH_CLASSES.fullmatch(kind):
            options[f'{key}.classwise'] = True
    return options, kept
