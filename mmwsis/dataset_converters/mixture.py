"""Label files in which every image has a supervision level of its own.

Semi-supervised sets (a share with masks, the rest with clicks) and fixed-budget subsets
are both made here: images are put into a random order that depends on nothing but the
seed and their ids, and levels are dealt out along it.
"""

import hashlib
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmwsis.formats.coco_file import read_coco, with_file_names
from mmwsis.structures.supervision import Supervision, image_supervision, restrict_coco
from mmwsis.utils.fileio import atomic_write_json
from mmwsis.utils.parallel import OrderedPool

from .coco2weak import weaken_in_pool
from .finished_jobs import RememberingPool, finished_jobs
from .output_files import provenance
from .weak_labels import WeakProtocol

Progress = Callable[[int], None]


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
            text = 'rest'
        elif isinstance(self.amount, float):
            text = f'{100 * self.amount:g}%'
        else:
            text = str(self.amount)
        return f'{self.level.label} {text}'


def parse_amount(text: str) -> int | float | None:
    """Read an amount as it is written on a command line.

    Args:
        text: '0.1' or '10%' (a share), '500' (images), or 'rest'.

    Returns:
        The ``amount`` of a :class:`Share`.

    Raises:
        ValueError: It is none of these, negative, or a share above 1.
    """
    expected = (
        'expected a share such as 0.1 or 10%, a number of images such as 500, or '
        f'rest; given {text!r}'
    )
    if text == 'rest':
        return None
    try:
        if text.isdigit():
            return int(text)
        share = float(text[:-1]) / 100 if text.endswith('%') else float(text)
    except ValueError:
        raise ValueError(expected) from None
    if not 0 <= share <= 1:
        raise ValueError(expected)
    return share


def rank_images(ids: Sequence[int | str], seed: int) -> list[int | str]:
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

    def key(image_id: int | str) -> bytes:
        return hashlib.sha256(f'{seed}\0{image_id!r}'.encode()).digest()

    return sorted(ids, key=key)


def deal_levels(
    ranked: Sequence[int | str], shares: Sequence[Share]
) -> dict[int | str, Supervision]:
    """Give images their levels, the strongest level first.

    Args:
        ranked: Image ids as :func:`rank_images` orders them.
        shares: At most one a level, and at most one 'rest'.

    Returns:
        Image id -> level; images that no share asks for are absent.

    Raises:
        ValueError: A level is given twice, or more images are asked for than there are.
    """
    levels = [share.level for share in shares]
    if not shares or len(set(levels)) != len(levels):
        raise ValueError(f'each level needs one share, given {_listed(shares)}')
    if sum(share.amount is None for share in shares) > 1:
        raise ValueError(f'only one level can have the rest, given {_listed(shares)}')
    # Sides are rounded, not counts: 1/3 + 2/3 of any number of images is all of them.
    start, exact = 0, 0.0
    dealt: dict[int | str, Supervision] = {}
    strongest_first = sorted(shares, key=lambda share: share.level, reverse=True)
    for share in sorted(strongest_first, key=lambda share: share.amount is None):
        end = len(ranked)
        if share.amount is not None:
            is_share = isinstance(share.amount, float)
            exact += share.amount * len(ranked) if is_share else share.amount
            end = math.floor(exact + 0.5)
        if end > len(ranked) or (share.amount is None and start > end):
            raise ValueError(
                f'{_listed(shares)} are more images than the file has: {len(ranked)}'
            )
        dealt.update(dict.fromkeys(ranked[start:end], share.level))
        start = end
    return dealt


def _listed(shares: Sequence[Share]) -> str:
    return ', '.join(map(str, shares)) or 'none'


def build_mixture(
    coco: Mapping[str, Any],
    levels: Mapping[int | str, Supervision],
    protocol: WeakProtocol,
    *,
    source: str,
    pool: OrderedPool | RememberingPool,
    skip_invalid: bool = False,
    progress: Progress = lambda done: None,
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
        part = _part(coco, {key for key, own in levels.items() if own is level})
        if level is Supervision.MASKS:
            part['images'] = with_file_names(part['images'])
            result = restrict_coco(part, level, source=source)
            progress(len(part['annotations']))
        else:
            result = weaken_in_pool(
                part,
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
        **{key: value for key, value in coco.items() if key != 'info'},
        'info': dict(coco.get('info') or {}),
        'images': [images[im['id']] for im in coco['images'] if im['id'] in images],
        'annotations': [
            labels[ann['id']] for ann in coco['annotations'] if ann['id'] in labels
        ],
    }
    # Drops what the header of a file with weaker images may not say.
    return restrict_coco(mixture, Supervision.MASKS, source=source)


def _part(coco: Mapping[str, Any], wanted: set[Any]) -> dict[str, Any]:
    return {
        **coco,
        'images': [image for image in coco['images'] if image['id'] in wanted],
        'annotations': [a for a in coco['annotations'] if a['image_id'] in wanted],
    }


def _check_own_levels(
    coco: Mapping[str, Any], levels: Mapping[Any, Supervision], source: str
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
    names = {category['id']: category['name'] for category in coco['categories']}
    rows: dict[str, dict[str, Any]] = {}
    level_of = {image['id']: image['supervision'] for image in coco['images']}
    for level in sorted(Supervision, reverse=True):
        own = [im for im in coco['images'] if im['supervision'] == level.label]
        if not own:
            continue
        seen = {tag for image in own for tag in image['tags']}
        rows[level.label] = dict(
            images=len(own),
            objects=sum(
                level_of[ann['image_id']] == level.label for ann in coco['annotations']
            ),
            absent_classes=[name for key, name in names.items() if key not in seen],
        )
    return rows


def mix_file(
    source: str | os.PathLike,
    out: str | os.PathLike,
    shares: Sequence[Share],
    protocol: WeakProtocol | None = None,
    *,
    seed: int = 0,
    workers: int = 1,
    skip_invalid: bool = False,
    overwrite: bool = False,
    open_progress: Callable[[int], Progress] | None = None,
) -> dict[str, Any]:
    """Write a semi-supervised set, drawn from a fully labelled file.

    Finished annotations survive a kill in ``<out>.unfinished``; the same call goes on
    from there.

    Args:
        source: COCO or LVIS JSON with masks.
        out: File to write, in one step.
        shares: How many images get each level; the others are left out.
        protocol: How weak labels are simulated; the defaults if None.
        seed: Of the draw.
        workers: Number of processes, >= 1. The result does not depend on it.
        skip_invalid: Leave out annotations that cannot be converted.
        overwrite: Replace an existing file.
        open_progress: Called with the number of annotations; returns the function that
            counts finished ones.

    Returns:
        What was written.

    Raises:
        FileExistsError: ``out`` exists and ``overwrite`` is off.
        FileNotFoundError: ``source`` does not exist.
        ValueError: ``source`` or ``shares`` are not well formed; nothing was written.
    """
    protocol = protocol or WeakProtocol()
    # Workers are forked before the file is read: they stay small.
    with (
        OrderedPool(workers) as processes,
        finished_jobs([out], [source], overwrite) as finished,
    ):
        coco = read_coco(source)
        ranked = rank_images([image['id'] for image in coco['images']], seed)
        levels = deal_levels(ranked, shares)
        total = sum(ann['image_id'] in levels for ann in coco['annotations'])
        mixture = build_mixture(
            coco,
            levels,
            protocol,
            source=str(source),
            pool=finished.remember(processes),
            skip_invalid=skip_invalid,
            progress=open_progress(total) if open_progress else lambda done: None,
        )
        mixture['info']['mmwsis'] = provenance(
            'mix_supervision',
            source,
            shares=[str(share) for share in shares],
            seed=seed,
            protocol={
                level.label: protocol.describe(level)
                for level in sorted(set(levels.values()))
                if level is not Supervision.MASKS
            },
            images_left_out=len(ranked) - len(levels),
        )
        finished.start_writing()
        atomic_write_json(Path(out), mixture)
    return mixture
