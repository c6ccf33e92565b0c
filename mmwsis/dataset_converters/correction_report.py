"""What a correction changed, as a table and for a JSON."""

from collections.abc import Sequence
from statistics import mean
from typing import Any

from mmwsis.utils.markdown import markdown_table

from .corrections import ACTIONS, CorrectedObject, Corrections

SECONDS_PER_MASK = 80.0  # an outline of an object of PASCAL VOC (Bearman et al. 2016)

# What minutes are counted of.
DRAWN_ANEW = 'every mask that was reviewed and kept, drawn anew (simulated)'
DRAWN = 'masks that were changed or added; looking at the others is not counted'


def summarize_corrections(
    corrections: Corrections, seconds: float = SECONDS_PER_MASK, redrawn: bool = False
) -> dict[str, Any]:
    """Count what was corrected.

    Args:
        corrections: What was corrected.
        seconds: What a corrected mask costs. Defaults to 80.
        redrawn: Whether every mask that was reviewed was drawn anew, as simulated
            corrections are; else changed and added ones were. Defaults to False.

    Returns:
        JSON-serialisable: ``images``, ``complete_images``, ``reviewed``, the number of
        each action, ``other_class``, ``mean_iou`` and ``lowest_iou`` of the changed
        masks with the pseudo labels' (None without any), ``masks_drawn``, ``minutes``,
        ``minutes_are`` (what of: of every mask that was reviewed, or of those that
        people changed or added), ``per_class`` (the same counts by class) and
        ``objects``, all of them.
    """
    objects = corrections.objects
    drawn = [
        one
        for one in objects
        if one.action in ('changed', 'added') or (redrawn and one.iou is not None)
    ]
    names = dict.fromkeys(one['name'] for one in corrections.coco['categories'])
    per_class = {
        name: _counts([one for one in objects if one.name == name]) for name in names
    }
    return dict(
        images=len(corrections.images),
        complete_images=len(corrections.complete),
        **_counts(objects),
        seconds_per_mask=seconds,
        masks_drawn=len(drawn),
        minutes=round(len(drawn) * seconds / 60, 2),
        minutes_are=DRAWN_ANEW if redrawn else DRAWN,
        per_class={k: v for k, v in per_class.items() if v['reviewed'] or v['added']},
        objects=[one._asdict() for one in objects],
    )


def _counts(objects: Sequence[CorrectedObject]) -> dict[str, Any]:
    counts = {
        action: sum(one.action == action for one in objects) for action in ACTIONS
    }
    ious = sorted(one.iou for one in objects if one.action == 'changed')
    return dict(
        reviewed=len(objects) - counts['added'],
        **counts,
        other_class=sum(one.old_name is not None for one in objects),
        mean_iou=round(mean(ious), 4) if ious else None,
        lowest_iou=round(ious[0], 4) if ious else None,
    )


def correction_table(summary: dict[str, Any]) -> str:
    """Write a summary as Markdown, one row a class.

    Args:
        summary: Of :func:`summarize_corrections`.
    """
    keys = ('reviewed', *ACTIONS, 'other_class', 'mean_iou', 'lowest_iou')
    header = ['class', 'reviewed', *ACTIONS, 'of another class']
    header += ['mean IoU with the old mask', 'lowest']
    rows = [('all', summary), *summary['per_class'].items()]
    cells = [
        [name, *('–' if row[key] is None else row[key] for key in keys)]
        for name, row in rows
    ]
    return markdown_table(header, cells, text_columns=1)
