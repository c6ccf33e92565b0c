"""Files of corrected pseudo labels: read, merged, written in one step."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pycocotools import mask as mask_api

from mmwsis.formats.coco_file import load_coco, read_json
from mmwsis.formats.coco_masks import checked_rle
from mmwsis.formats.provenance import has_own_ids, provenance_of
from mmwsis.structures.supervision import Supervision, strongest_label
from mmwsis.utils.hashing import hash_file
from mmwsis.version import __version__

from .conversion import RunOptions, refuse_existing, with_source
from .corrected_weak_labels import correct_weak_labels
from .correction_report import SECONDS_PER_MASK, summarize_corrections
from .corrections import (
    SAME_IOU,
    Corrections,
    merge_corrections,
)
from .importers.records import tidy_name
from .outputs import Outputs
from .review_order import first_labels, order_labels
from .simulated_corrections import simulate_corrections

# Ends the name of a mixed file's summary.
SUMMARY_SUFFIX = '.corrections.json'
# From this share of the smaller mask on, two masks of a class are one object.
COVERED_SHARE = 0.5
Id = int | str


@dataclass(frozen=True)
class CorrectionSettings:
    """What the user may choose.

    Attributes:
        review: Review list (``review.csv``), the worst labels first.
        weak: COCO JSON that the labeler was trained on, to be corrected, too.
        weak_out: File to write it to.
        count: How many labels of the order were reviewed; None for all.
        order: Of simulated corrections: 'worst' or 'random'.
        seed: Of the random order.
        same_iou: From this IoU on, a corrected mask is the pseudo label's own.
        seconds: What a corrected mask costs.
    """

    review: str | os.PathLike | None = None
    weak: str | os.PathLike | None = None
    weak_out: str | os.PathLike | None = None
    count: int | None = None
    order: str = 'worst'
    seed: int = 0
    same_iou: float = SAME_IOU
    seconds: float = SECONDS_PER_MASK

    def __post_init__(self) -> None:
        if not 0 < self.same_iou <= 1:
            raise ValueError(f'same_iou must be in (0, 1], got {self.same_iou}.')
        if not self.seconds >= 0:
            raise ValueError(f'seconds must be 0 or more, got {self.seconds}.')
        if (self.weak is None) != (self.weak_out is None):
            raise ValueError(
                'weak and weak_out (--weak, --weak-out) go together: the weak labels '
                'of the labeler, and where their correction goes.'
            )

    @property
    def weak_files(self) -> tuple[list[str | os.PathLike], list[str | os.PathLike]]:
        """What is read and what is written besides the labels."""
        return tuple(
            [] if path is None else [path] for path in (self.weak, self.weak_out)
        )


def summary_path(out: str | os.PathLike) -> Path:
    """Where the summary of a mixed file goes: beside it.

    Args:
        out: The mixed file.
    """
    return Path(out).with_suffix(SUMMARY_SUFFIX)


def apply_corrections(
    pseudo: str | os.PathLike,
    corrected: str | os.PathLike,
    out: str | os.PathLike,
    settings: CorrectionSettings | None = None,
    run: RunOptions | None = None,
) -> dict[str, Any]:
    """Write a mixed label file: corrected masks, pseudo labels elsewhere.

    Args:
        pseudo: COCO JSON of the pseudo labels that were exported for correction.
        corrected: What came back, by ``tools/dataset_converters/import_labels.py
            --keep-ids``; or a mixed file, whose corrections go into new pseudo labels.
        out: File to write; its summary goes beside it.
        settings: The user's choices; the defaults if None.
        run: How it runs; the defaults if None.

    Returns:
        The summary.

    Raises:
        FileExistsError: An output exists and ``overwrite`` is off.
        FileNotFoundError: There is no such file.
        ValueError: The files do not belong together, or are broken; nothing was
            written.
    """
    settings, run = settings or CorrectionSettings(), run or RunOptions()
    sources = [Path(pseudo), Path(corrected)]
    _refuse_existing(sources, out, settings, run)
    labels, found = (load_coco(str(path), 'masks') for path in sources)
    made = provenance_of(found)
    if made.get('tool') == 'import_labels' and not made.get('ids_kept'):
        raise ValueError(
            f'{corrected}: it was imported without the ids of the pseudo labels, so '
            'that none is found again; import it again with --keep-ids.'
        )
    reviewed = complete = None
    if 'corrections' in made:
        found, reviewed, complete = labels_of_people(found, labels)
    elif settings.review is not None:
        reviewed = _reviewed(labels, str(pseudo), settings)
    merged = merge_corrections(
        labels,
        found,
        reviewed,
        may_be_complete=complete,
        same_iou=settings.same_iou,
        sources=(str(pseudo), str(corrected)),
    )
    summary = summarize_corrections(merged, settings.seconds)
    _write(merged, summary, sources, out, settings)
    return summary


def simulate_file(
    pseudo: str | os.PathLike,
    truth: str | os.PathLike,
    out: str | os.PathLike,
    settings: CorrectionSettings | None = None,
    run: RunOptions | None = None,
) -> dict[str, Any]:
    """Write a mixed label file as if a perfect person had corrected pseudo labels.

    Args:
        pseudo: COCO JSON of the pseudo labels.
        truth: COCO JSON with masks of the same images.
        out: File to write; its summary goes beside it.
        settings: The user's choices; the defaults, all labels, if None.
        run: How it runs; the defaults if None.

    Returns:
        The summary. Every mask that was reviewed counts as drawn.

    Raises:
        FileExistsError: An output exists and ``overwrite`` is off.
        FileNotFoundError: There is no such file.
        ValueError: The files do not belong together, or are broken; nothing was
            written.
    """
    settings, run = settings or CorrectionSettings(), run or RunOptions()
    sources = [Path(pseudo), Path(truth)]
    _refuse_existing(sources, out, settings, run)
    labels, masks = (load_coco(str(path), 'masks') for path in sources)
    ids = _reviewed(labels, str(pseudo), settings)
    names = str(pseudo), str(truth)
    merged = merge_corrections(
        labels,
        simulate_corrections(labels, masks, ids, names),
        ids,
        same_iou=settings.same_iou,
        sources=names,
    )
    summary = summarize_corrections(merged, settings.seconds, redrawn=True)
    simulated = dict(order=settings.order, seed=settings.seed)
    _write(merged, summary, sources, out, settings, simulated)
    return summary


class PeoplesLabels(NamedTuple):
    """What people have labelled, for :func:`merge_corrections`.

    Attributes:
        corrected: COCO dictionary of their labels.
        reviewed: Ids of the pseudo labels that these replace.
        complete: Ids of the images that they labelled altogether.
    """

    corrected: dict[str, Any]
    reviewed: list[Id]
    complete: set[Id]


def labels_of_people(
    mixed: Mapping[str, Any], pseudo: Mapping[str, Any]
) -> PeoplesLabels:
    """Take the corrections out of a mixed file, for other pseudo labels.

    Objects have the same id in both files, and a label of people takes the place of the
    pseudo label. Instances that were found in whole images have not: all labels of
    people are new ones, and a pseudo label is replaced where one of its class covers
    half of it, or is covered by it to a half. In images that people labelled
    altogether, and only there, other pseudo labels go, too.

    Args:
        mixed: COCO dictionary of an earlier correction.
        pseudo: Pseudo labels that a labeler has made since.

    Returns:
        The labels of people and what they replace.
    """
    known = {one['id'] for one in pseudo['annotations']}
    are_instances = has_own_ids(pseudo) or has_own_ids(mixed)
    drawn = [
        {**one, 'is_new': True} if are_instances or one['id'] not in known else one
        for one in mixed['annotations']
        if 'correction' in one
    ]
    complete = {
        one['id'] for one in mixed['images'] if one.get('supervision') == 'masks'
    }
    wanted = complete | {one['image_id'] for one in drawn}
    reviewed = {
        one['id'] for one in pseudo['annotations'] if one['image_id'] in complete
    }
    if are_instances:
        reviewed |= _covered(pseudo, drawn, mixed)
    else:
        reviewed |= {one['id'] for one in drawn}
    images = [one for one in mixed['images'] if one['id'] in wanted]
    corrected = {**mixed, 'images': images, 'annotations': drawn}
    return PeoplesLabels(corrected, sorted(reviewed, key=str), complete)


def _covered(
    pseudo: Mapping[str, Any],
    drawn: Sequence[Mapping[str, Any]],
    mixed: Mapping[str, Any],
) -> set[Id]:
    """Pseudo labels that share half of the smaller mask with one of their class."""
    names, own_names = (
        {one['id']: tidy_name(one['name']) for one in coco['categories']}
        for coco in (pseudo, mixed)
    )
    sizes = {one['id']: (one['height'], one['width']) for one in mixed['images']}
    by_image: dict[Id, list[tuple[str, Any]]] = {}
    for one in drawn:
        rle = checked_rle(one['segmentation'], *sizes[one['image_id']])
        own = by_image.setdefault(one['image_id'], [])
        own.append((own_names[one['category_id']], rle))
    found = set()
    for one in pseudo['annotations']:
        name, people = names[one['category_id']], by_image.get(one['image_id'], ())
        masks = [rle for other, rle in people if other == name]
        if not masks or one.get('iscrowd') or not one.get('segmentation'):
            continue
        rle = checked_rle(one['segmentation'], *sizes[one['image_id']])
        # For a crowd, pycocotools divides by the area of the first mask alone.
        shares = [
            *mask_api.iou([rle], masks, [1] * len(masks))[0],
            *mask_api.iou(masks, [rle], [1])[:, 0],
        ]
        if max(shares) >= COVERED_SHARE:
            found.add(one['id'])
    return found


def _reviewed(
    labels: Mapping[str, Any], source: str, settings: CorrectionSettings
) -> list[Id]:
    chosen = settings.order, settings.review, settings.seed
    return first_labels(order_labels(labels, source, *chosen), settings.count, source)


def _refuse_existing(
    sources: list[Path],
    out: str | os.PathLike,
    settings: CorrectionSettings,
    run: RunOptions,
) -> None:
    read, written = settings.weak_files
    written = [out, summary_path(out), *written]
    if len({Path(path).resolve() for path in written}) < len(written):
        raise ValueError(f'{out}: the labels of the labeler need a name of their own.')
    refuse_existing(written, [*sources, *read], run.overwrite)


def _write(
    merged: Corrections,
    summary: dict[str, Any],
    sources: list[Path],
    out: str | os.PathLike,
    settings: CorrectionSettings,
    simulated: dict[str, Any] | None = None,
) -> None:
    """Write the mixed file, which keeps what the pseudo labels say of themselves."""
    counts = {k: v for k, v in summary.items() if k not in ('objects', 'per_class')}
    block = dict(
        tool='apply_corrections',
        version=__version__,
        pseudo_labels=sources[0].name,
        pseudo_labels_sha256=hash_file(sources[0]),
        corrected=sources[1].name,
        corrected_sha256=hash_file(sources[1]),
        **({} if simulated is None else dict(simulated=simulated)),
        **counts,
    )
    info = merged.coco.get('info') or {}
    made = {**provenance_of(merged.coco), 'corrections': block}
    coco = {**merged.coco, 'info': {**info, 'mmwsis': made}}
    weak = None
    if settings.weak is not None:
        weak = _corrected_weak(merged, Path(settings.weak), sources[0])
    with Outputs() as files:
        files.labels(out, coco, sources[0])
        if weak is not None and settings.weak_out is not None:
            files.labels(settings.weak_out, weak, settings.weak or '')
        files.json(summary_path(out), {**block, **summary}, sources[0], indent=1)


def _corrected_weak(merged: Corrections, weak: Path, pseudo: Path) -> dict[str, Any]:
    """The labeler's training file with the corrections."""
    level = _level_of(read_json(str(weak)))
    coco = correct_weak_labels(
        *(load_coco(str(weak), level), level, merged, (str(weak), str(pseudo)))
    )
    levels = Counter(image['supervision'] for image in coco['images'])
    return with_source(
        coco,
        'apply_corrections',
        weak,
        # Extreme points that are indices of pixels have become edges.
        coordinates='continuous',
        pseudo_labels=pseudo.name,
        images_by_level=dict(levels),
    )


def _level_of(coco: Any) -> Supervision:
    """Level that a label file claims, or else that of its strongest label."""
    try:
        return Supervision.parse(provenance_of(coco).get('supervision'))
    except ValueError:
        held = (strongest_label(one) for one in (coco.get('annotations') or ()))
        return max(filter(None, held), default=Supervision.IMAGE_TAGS)
