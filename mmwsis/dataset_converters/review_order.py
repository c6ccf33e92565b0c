"""The order in which pseudo labels are reviewed: the worst first, or random."""

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .mixture import rank_images

ORDERS = ('worst', 'random')
_COLUMNS = ('rank', 'annotation_id')
Id = int | str


def read_review_list(
    path: str | os.PathLike, pseudo: Mapping[str, Any], source: str
) -> list[Id]:
    """Read the ``review.csv`` of ``tools/analysis_tools/review_list.py``.

    Args:
        path: CSV with the columns ``rank`` and ``annotation_id``.
        pseudo: COCO dictionary of the labels that it is about.
        source: Name of their file, for messages.

    Returns:
        Annotation ids, the worst first.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no review list, is empty, or names an id that the labels do
            not have or twice.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f'{path}: the review list does not exist; '
            'tools/analysis_tools/review_list.py makes it'
        )
    ids = {str(one['id']): one['id'] for one in pseudo['annotations']}
    ranked: dict[Id, float] = {}
    try:
        with path.open(newline='', encoding='utf-8-sig') as file:
            reader = csv.DictReader(file)
            missing = [c for c in _COLUMNS if c not in (reader.fieldnames or ())]
            if missing:
                raise ValueError(
                    f'{path} has no column {missing[0]!r}; is it the review.csv of '
                    'tools/analysis_tools/review_list.py?'
                )
            for row in reader:
                key = ids.get(row['annotation_id'] or '')
                where = f'{path}: line {reader.line_num}: annotation id'
                if key is None:
                    raise ValueError(
                        f'{where} {row["annotation_id"]!r} is not in {source}; make '
                        'the list of these pseudo labels.'
                    )
                if key in ranked:
                    raise ValueError(f'{where} {key!r} is listed twice.')
                try:
                    ranked[key] = float(row['rank'])
                except (TypeError, ValueError):
                    raise ValueError(
                        f'{path}: line {reader.line_num}: rank {row["rank"]!r} is no '
                        'number.'
                    ) from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f'{path} cannot be read as a CSV: {error}') from None
    if not ranked:
        raise ValueError(f'{path} lists no label, so there is nothing to review.')
    return sorted(ranked, key=ranked.__getitem__)


def order_labels(
    pseudo: Mapping[str, Any],
    source: str,
    order: str = 'worst',
    review: str | os.PathLike | None = None,
    seed: int = 0,
) -> list[Id]:
    """Put pseudo labels in the order in which they are reviewed.

    Args:
        pseudo: COCO dictionary.
        source: Name of its file, for messages.
        order: 'worst', by the review list or else by ``score``, or 'random'. Defaults
            to 'worst'.
        review: Review list. Defaults to None.
        seed: Of the random order, in which a shorter list is part of a longer one.
            Defaults to 0.

    Returns:
        Annotation ids; crowds are none.

    Raises:
        FileNotFoundError: There is no such review list.
        ValueError: An unknown order, a broken list, no label, or labels without a score
            where that is the order.
    """
    if order not in ORDERS:
        raise ValueError(f'order must be one of {ORDERS}, got {order!r}.')
    labels = {one['id']: one for one in pseudo['annotations'] if not one.get('iscrowd')}
    if not labels:
        raise ValueError(f'{source} has no pseudo label, so there is none to review.')
    if order == 'random':
        return rank_images(list(labels), seed)
    if review is not None:
        ranked = read_review_list(review, pseudo, source)
        return [key for key in ranked if key in labels]
    lacking = [key for key, one in labels.items() if one.get('score') is None]
    if lacking:
        raise ValueError(
            f'{source}: annotation id {lacking[0]!r} and {len(lacking) - 1} more have '
            'no score to order them by; make a review list of them with '
            'tools/analysis_tools/review_list.py.'
        )
    return sorted(labels, key=lambda key: labels[key]['score'])


def first_labels(ordered: list[Id], count: int | None, source: str) -> list[Id]:
    """The first labels of an order.

    Args:
        ordered: Of :func:`order_labels`.
        count: How many; None for all.
        source: Name of their file, for messages.

    Raises:
        ValueError: There are not as many, or it is none.
    """
    if count is not None and not 1 <= count <= len(ordered):
        raise ValueError(
            f'{source} has {len(ordered)} labels to review, asked for are the '
            f'{count} worst; give a number from 1 to {len(ordered)}.'
        )
    return ordered[:count]
