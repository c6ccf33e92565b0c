"""Files of corrected pseudo labels: read, merged, written in one step."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmwsis.formats.coco_file import load_coco
from mmwsis.formats.provenance import provenance_of
from mmwsis.utils.hashing import hash_file
from mmwsis.version import __version__

from .conversion import RunOptions, refuse_existing
from .correction_report import SECONDS_PER_MASK, summarize_corrections
from .corrections import SAME_IOU, Corrections, merge_corrections
from .outputs import Outputs
from .review_order import first_labels, order_labels
from .simulated_corrections import simulate_corrections

# Ends the name of a mixed file's summary.
SUMMARY_SUFFIX = '.corrections.json'
Id = int | str


@dataclass(frozen=True)
class CorrectionSettings:
    """What the user may choose.

    Attributes:
        review: Review list (``review.csv``), the worst labels first.
        count: How many labels of the order were reviewed; None for all.
        order: Of simulated corrections: 'worst' or 'random'.
        seed: Of the random order.
        same_iou: From this IoU on, a corrected mask is the pseudo label's own.
        seconds: What a corrected mask costs.
    """

    review: str | os.PathLike | None = None
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
            --keep-ids``.
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
    refuse_existing([out, summary_path(out)], sources, run.overwrite)
    labels, found = (load_coco(str(path), 'masks') for path in sources)
    made = provenance_of(found)
    if made.get('tool') == 'import_labels' and not made.get('ids_kept'):
        raise ValueError(
            f'{corrected}: it was imported without the ids of the pseudo labels, so '
            'that none is found again; import it again with --keep-ids.'
        )
    reviewed = None
    if settings.review is not None:
        reviewed = _reviewed(labels, str(pseudo), settings)
    merged = merge_corrections(
        labels,
        found,
        reviewed,
        same_iou=settings.same_iou,
        sources=(str(pseudo), str(corrected)),
    )
    summary = summarize_corrections(merged, settings.seconds)
    _write(merged, summary, sources, out)
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
    refuse_existing([out, summary_path(out)], sources, run.overwrite)
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
    _write(merged, summary, sources, out, order=settings.order, seed=settings.seed)
    return summary


def _reviewed(
    labels: Mapping[str, Any], source: str, settings: CorrectionSettings
) -> list[Id]:
    chosen = settings.order, settings.review, settings.seed
    return first_labels(order_labels(labels, source, *chosen), settings.count, source)


def _write(
    merged: Corrections,
    summary: dict[str, Any],
    sources: list[Path],
    out: str | os.PathLike,
    **simulated: Any,
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
        **(dict(simulated=simulated) if simulated else {}),
        **counts,
    )
    info = merged.coco.get('info') or {}
    made = {**provenance_of(merged.coco), 'corrections': block}
    coco = {**merged.coco, 'info': {**info, 'mmwsis': made}}
    with Outputs() as files:
        files.labels(out, coco, sources[0])
        files.json(summary_path(out), {**block, **summary}, sources[0], indent=1)
