"""Label files in which every image has a supervision level of its own.

Semi-supervised sets (a share with masks, the rest with clicks) and fixed-budget subsets
are both made here: images are put into a random order that depends on nothing but the
seed and their ids, and levels are assigned along it.
"""

import hashlib
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmwsis.formats.coco_file import read_json, with_file_names
from mmwsis.structures.supervision import Supervision, image_supervision, restrict_coco
from mmwsis.utils.parallel import OrderedPool

from .annotation_pass import Size
from .coco2weak import derive_weak_coco
from .complete_labels import complete_labels
from .conversion import Progress, RunOptions, refuse_existing, with_source
from .outputs import Outputs
from .weak_labels import WeakProtocol

ImageId = int | str


class Share(NamedTuple):
    """How many images get a level.

    Attributes:
        level: The level.
        amount: A number of images (int), a share of all of them (float, 0 to 1), or
            None for all that are left.
    """

    level: Supervision
    amount: int | float | None

    def __str__(self) -> str:
        if self.amount is None:
            return f'{self.level.label} rest'
        is_share = isinstance(self.amount, float)
        return f'{self.level.label} ' + (
            f'{100 * self.amount:g}%' if is_share else str(self.amount)
        )


def parse_amount(text: str) -> int | float | None:
    """Read an amount as it is written on a command line.

    Args:
        text: '0.1' or '10%' (a share), '500' (images), or 'rest'.

    Returns:
        The ``amount`` of a :class:`Share`.

    Raises:
        ValueError: It is none of these, negative, or a share above 1.
    """
    if text == 'rest':
        return None
    try:
        if text.isdigit():
            return int(text)
        share = float(text[:-1]) / 100 if text.endswith('%') else float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise ValueError(
            'expected a share such as 0.1 or 10%, a number of images such as 500, or '
            f'rest; given {text!r}'
        )
    return share


def rank_images(ids: Sequence[ImageId], seed: int) -> list[ImageId]:
    """Random order of images that depends on the seed and on each id alone.

    A prefix of it is a uniform draw without replacement, and a shorter prefix is part
    of a longer one: 5 % of a dataset are among its 10 %, whatever the order of the
    file and whatever other images are in it.

    Args:
        ids: Image ids, all different.
        seed: Any integer.

    Returns:
        The ids.
    """
    return sorted(
        ids, key=lambda key: hashlib.sha256(f'{seed}\0{key!r}'.encode()).digest()
    )


def assign_levels(
    ranked: Sequence[ImageId], shares: Sequence[Share]
) -> dict[ImageId, Supervision]:
    """Give images their levels, the strongest level first.

    Args:
        ranked: Image ids as :func:`rank_images` orders them.
        shares: At most one per level, and at most one 'rest'.

    Returns:
        Image id -> level; images that no share asks for are absent.

    Raises:
        ValueError: A level is given twice, or more images are asked for than there are.
    """
    listed = ', '.join(map(str, shares)) or 'none'
    if not shares or len({share.level for share in shares}) != len(shares):
        raise ValueError(f'each level needs one share, given {listed}')
    if sum(share.amount is None for share in shares) > 1:
        raise ValueError(f'only one level can have the rest, given {listed}')
    # Sides are rounded, not counts: 1/3 + 2/3 of any number of images is all of them.
    start, exact = 0, 0.0
    assigned: dict[ImageId, Supervision] = {}
    for share in sorted(shares, key=lambda one: (one.amount is None, -one.level)):
        end = len(ranked)
        if share.amount is not None:
            is_share = isinstance(share.amount, float)
            exact += share.amount * len(ranked) if is_share else share.amount
            end = math.floor(exact + 0.5)
        if end > len(ranked) or (share.amount is None and start > end):
            raise ValueError(
                f'{listed} are more images than the file has: {len(ranked)}'
            )
        assigned.update(dict.fromkeys(ranked[start:end], share.level))
        start = end
    return assigned


def build_mixture(
    coco: Mapping[str, Any],
    levels: Mapping[ImageId, Supervision],
    protocol: WeakProtocol,
    *,
    source: str,
    pool: OrderedPool,
    skip_invalid: bool,
    progress: Progress,
) -> dict[str, Any]:
    """Put a label file together in which each image holds its own level and no more.

    Args:
        coco: Checked COCO dictionary with masks; is left as it is.
        levels: Level of every image that is wanted, by id.
        protocol: How weak labels are simulated.
        source: Name of the file, for messages.
        pool: Processes that decode the masks.
        skip_invalid: Leave out annotations that cannot be converted.
        progress: Called with the number of annotations that were just finished.

    Returns:
        COCO dictionary with ``images[].supervision``, images and annotations in the
        order of the source. Loading it with supervision 'masks' gives every image's
        own level.

    Raises:
        ValueError: The source has an image at a weaker level than is wanted for it.
        WeakLabelError: Some annotations are broken, and ``skip_invalid`` is off.
    """
    _check_own_levels(coco, levels, source)
    labels: dict[Any, dict[str, Any]] = {}
    images: dict[Any, dict[str, Any]] = {}
    for level in sorted(set(levels.values())):
        wanted = {key for key, own in levels.items() if own is level}
        subset = {
            **coco,
            'images': [image for image in coco['images'] if image['id'] in wanted],
            'annotations': [a for a in coco['annotations'] if a['image_id'] in wanted],
        }
        if level is Supervision.MASKS:
            subset['images'] = with_file_names(subset['images'])
            result = restrict_coco(subset, level, source=source)
            progress(len(subset['annotations']))
        else:
            result = derive_weak_coco(
                subset,
                [level],
                protocol,
                source=source,
                pool=pool,
                skip_invalid=skip_invalid,
                progress=progress,
            )[level]
        labels.update((ann['id'], ann) for ann in result['annotations'])
        for image in result['images']:
            images[image['id']] = {**image, 'supervision': level.label}
    mixture = {
        **coco,
        'images': [images[im['id']] for im in coco['images'] if im['id'] in images],
        'annotations': [
            labels[ann['id']] for ann in coco['annotations'] if ann['id'] in labels
        ],
    }
    # Drops what the header of a file with weaker images may not say.
    return restrict_coco(mixture, Supervision.MASKS, source=source)


def _check_own_levels(
    coco: Mapping[str, Any], levels: Mapping[ImageId, Supervision], source: str
) -> None:
    for image in coco['images']:
        wanted = levels.get(image['id'])
        if wanted is None:
            continue
        own = image_supervision(image, Supervision.MASKS, source)
        if own < wanted:
            raise ValueError(
                f'{source}: image id {image["id"]!r} has supervision {own.label!r} and '
                f'cannot be given {wanted.label!r}; mix a file with masks'
            )


def summarize_levels(coco: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Count what a mixture holds, by level, the strongest first.

    Args:
        coco: Result of :func:`build_mixture`.

    Returns:
        Level -> ``images``, ``objects`` (0 at image_tags, which has none) and
        ``absent_classes``, names of the classes that no image of this level shows.
    """
    rows: dict[str, dict[str, Any]] = {}
    level_of = {image['id']: image['supervision'] for image in coco['images']}
    of_objects = [level_of[ann['image_id']] for ann in coco['annotations']]
    for label in [level.label for level in sorted(Supervision, reverse=True)]:
        own = [image for image in coco['images'] if image['supervision'] == label]
        seen = {tag for image in own for tag in image['tags']}
        if own:
            rows[label] = dict(
                images=len(own),
                objects=of_objects.count(label),
                absent_classes=[
                    category['name']
                    for category in coco['categories']
                    if category['id'] not in seen
                ],
            )
    return rows


def mix_file(
    source: str | os.PathLike,
    out: str | os.PathLike,
    shares: Sequence[Share],
    protocol: WeakProtocol | None = None,
    *,
    seed: int = 0,
    panoptic_dir: str | os.PathLike | None = None,
    crop_size: Size | None = None,
    run: RunOptions | None = None,
) -> dict[str, Any]:
    """Write a semi-supervised set, drawn from a fully labelled file.

    Args:
        source: COCO or LVIS JSON with masks, or a COCO panoptic JSON, whose things
            become objects and whose stuff becomes image tags.
        out: File to write, in one step.
        shares: How many images get each level; the others are left out.
        protocol: How weak labels are simulated; the defaults if None.
        seed: Of the draw. Defaults to 0.
        panoptic_dir: Folder of a panoptic file's PNGs; by default the one beside the
            file that bears its name.
        crop_size: Height and width in pixels of the crops whose tags are wanted, too
            (:func:`mmwsis.ops.crop_grid`). Defaults to None.
        run: How the conversion runs; the defaults if None. Progress counts
            annotations.

    Returns:
        What was written.

    Raises:
        FileExistsError: ``out`` exists and ``overwrite`` is off.
        FileNotFoundError: ``source`` does not exist.
        ValueError: ``source`` or ``shares`` are not well formed; nothing was written.
    """
    protocol, run = protocol or WeakProtocol(), run or RunOptions()
    refuse_existing([out], [source], run.overwrite)
    # Processes start before the file is read: they stay small.
    with OrderedPool(run.workers) as pool:
        coco = complete_labels(
            read_json(str(source)),
            Path(source),
            read_masks=True,
            panoptic_dir=panoptic_dir,
            crop_size=crop_size,
            pool=pool,
            run=run,
        )
        ranked = rank_images([image['id'] for image in coco['images']], seed)
        levels = assign_levels(ranked, shares)
        total = sum(ann['image_id'] in levels for ann in coco['annotations'])
        mixture = build_mixture(
            coco,
            levels,
            protocol,
            source=str(source),
            pool=pool,
            skip_invalid=run.skip_invalid,
            progress=run.open_progress(total),
        )
    mixture = with_source(
        mixture,
        'mix_supervision',
        source,
        shares=[str(share) for share in shares],
        seed=seed,
        coordinates=protocol.coordinates,
        protocol={
            level.label: protocol.describe(level)
            for level in sorted(set(levels.values()))
            if level is not Supervision.MASKS
        },
        images_left_out=len(ranked) - len(levels),
    )
    with Outputs() as files:
        files.labels(out, mixture, source)
    return mixture
