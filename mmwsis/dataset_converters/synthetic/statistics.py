"""Figures that say whether a synthetic dataset is what it should be."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from ..image_records import Record
from .records import CATEGORY_IDS

SMALL_EXTENT = 16  # pixels


def scene_statistics(records: Sequence[Record]) -> dict[str, Any]:
    """Count what the scenes hold.

    Args:
        records: Scenes of one split.

    Returns:
        Numbers of images, of images without objects, of instances by class; the share
        of separated instances (more than one visible 8-connected component of at least
        16 pixels) and of small ones (longer box side below 16 pixels); and the
        class-mean IoU of filled boxes with the masks.
    """
    names = {identifier: name for name, identifier in CATEGORY_IDS.items()}
    classes: Counter[str] = Counter()
    box_ious: dict[str, list[float]] = defaultdict(list)
    separated = small = 0
    for record in records:
        for annotation, parts in zip(record['objects'], record['parts']):
            name = names[annotation['category_id']]
            width, height = annotation['bbox'][2:]
            classes[name] += 1
            # The tight box holds the whole mask, so that the union is the box.
            box_ious[name].append(annotation['area'] / (width * height))
            separated += parts > 1
            small += max(width, height) < SMALL_EXTENT
    total = sum(classes.values())
    means = [sum(ious) / len(ious) for ious in box_ious.values()]
    return {
        'images': len(records),
        'empty_images': sum(not record['objects'] for record in records),
        'instances': total,
        'instances_by_class': dict(sorted(classes.items())),
        'separated_share': round(separated / max(total, 1), 4),
        'small_share': round(small / max(total, 1), 4),
        'filled_box_class_mean_iou': round(sum(means) / max(len(means), 1), 4),
    }


def format_summary(split: str, statistics: dict[str, Any]) -> str:
    """The figures of one split in a few words."""
    by_class = ', '.join(
        f'{name} {count}' for name, count in statistics['instances_by_class'].items()
    )
    return (
        f'{split}: {statistics["images"]} images ({statistics["empty_images"]} empty), '
        f'{statistics["instances"]} instances ({by_class}); '
        f'{statistics["separated_share"]:.1%} separated, '
        f'{statistics["small_share"]:.1%} small; '
        f'class-mean IoU of filled boxes {statistics["filled_box_class_mean_iou"]:.3f}'
    )
