r"""Fit the rule of review lists to several files of labels, and measure it on others.

Each ``--fit`` and each ``--held-out`` is one file of pseudo labels, its ground truth
and the folder of its images ('-': without the dense CRF), then any second labels, as
``--with`` of ``tools/analysis_tools/review_list.py`` takes them. The rule is fitted to
all ``--fit`` files together; signals are measured from the median of each file, and
kept, so that the same command goes on after a kill.

    python benchmarks/review_calibration.py --out-dir work_dirs/calibration \
        --fit exits.json animals/train.json animals/images exits_mirrored.json \
        --fit wise.json scenes/train.json scenes/train \
        --held-out mal.json nuclei/train.json nuclei/images

Writes ``rule.json``, which ``review_list.py --rule`` takes, and for each file
``NAME.md``: the table of ``review_list.py --gt`` with this rule.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmwsis.evaluation.label_confidence import fit_rule
from mmwsis.evaluation.label_signals import Signals
from mmwsis.evaluation.review_calibration import (
    calibration,
    calibration_markdown,
    label_ious,
)
from mmwsis.evaluation.review_list import review_labels
from mmwsis.utils.fileio import atomic_write_json, atomic_write_text

Measured = tuple[list[Signals], np.ndarray]


def measure(words: Sequence[str], parts: Path, workers: int) -> Measured:
    """Signals of a file's labels, and their IoU with the true masks.

    Args:
        words: Labels, ground truth, folder of the images or '-', second labels.
        parts: Folder that keeps finished images.
        workers: Processes.
    """
    labels, truth, images, *seconds = words
    folder = None if images == '-' else images
    found = review_labels(
        *(labels, folder, seconds),
        crf=folder is not None,
        workers=workers,
        parts=parts,
        with_reviewed=True,
    )
    ious = label_ious(found.coco, labels, truth, found.matched)
    rows = [row for row in found.labels if row.annotation['id'] in ious]
    # In the file's order, not in that of another rule.
    rows.sort(key=lambda row: str(row.annotation['id']))
    values = [ious[row.annotation['id']] for row in rows]
    return [row.signals for row in rows], np.array(values)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for option, required in (('--fit', True), ('--held-out', False)):
        parser.add_argument(
            option,
            nargs='+',
            action='append',
            default=None if required else [],
            required=required,
            metavar='FILE',
            help='LABELS TRUTH IMAGES [SECOND ...]',
        )
    parser.add_argument('--out-dir', type=Path, required=True)
    parser.add_argument(
        '--workers', type=int, default=min(8, os.cpu_count() or 1), help='processes'
    )
    args = parser.parse_args()
    if any(len(words) < 3 for words in (*args.fit, *args.held_out)):
        parser.error('--fit and --held-out take LABELS TRUTH IMAGES [SECOND ...]')
    return args


def main() -> None:
    """Fit, measure, write."""
    args = parse_args()
    given = [*args.fit, *args.held_out]
    names = [f'{n}_{Path(words[0]).stem}' for n, words in enumerate(given, 1)]
    found = [
        measure(words, args.out_dir / f'{name}.parts', args.workers)
        for name, words in zip(names, given, strict=True)
    ]
    fitted = found[: len(args.fit)]
    rule = fit_rule([own for own, _ in fitted], [ious for _, ious in fitted])
    files = [dict(labels=words[0], ground_truth=words[1]) for words in args.fit]
    atomic_write_json(
        args.out_dir / 'rule.json', dict(fitted=rule, fitted_to=files), indent=1
    )
    print(rule)
    for number, (name, own) in enumerate(zip(names, found, strict=True)):
        kind = 'fitted' if number < len(args.fit) else 'held out'
        text = calibration_markdown(calibration(*own, rule))
        atomic_write_text(args.out_dir / f'{name}.md', text)
        print(f'\n{name} ({kind})\n\n{text}')


if __name__ == '__main__':
    main()
