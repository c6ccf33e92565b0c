"""Stages that let people correct pseudo labels, and train the final model again.

``--correct 50`` adds behind ``quality``, or behind ``pseudo_labels`` where nothing is
measured,

- ``corrections``: the 50 labels that look worst, exported for a labelling tool; the run
  stops behind it until the file ``done`` says that they are corrected;
- ``import_corrections`` and ``mixed_labels``: what came back, and corrected masks with
  pseudo labels elsewhere;

and behind ``final_test``

- ``corrected_model`` and ``corrected_test``: the final model, trained on the mixed
  labels beside the other one, which stays for the comparison.

With simulated corrections, ``review`` and ``mixed_labels`` take the place of the first
three: the masks of the ground truth are put in, and nothing stops.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmwsis.dataset_converters.correction_files import summary_path
from mmwsis.dataset_converters.correction_report import SECONDS_PER_MASK

from .stages import CorrectionStage, ReportStage, TrainStage

LABELS, QUALITY = 'pseudo_labels', 'quality'
MODEL, TEST = 'final_model', 'final_test'
# Where the corrected labels of a tool are: LabelMe edits its files, the others export.
_RETURNED = {
    'labelme': 'to_correct',
    'cvat': 'corrected',
    'labelstudio': 'corrected/project.json',
}
FORMATS = tuple(_RETURNED)
Entry = dict[str, Any]


@dataclass(frozen=True)
class CorrectionOptions:
    """What a user asks for on the command line.

    Attributes:
        count: How many labels, the worst first.
        format: Labelling tool: one of ``FORMATS``.
        simulate: Put the ground truth in, instead of waiting for people.
        seconds: What a corrected mask costs.

    Raises:
        ValueError: A value that cannot be used.
    """

    count: int
    format: str = 'labelme'
    simulate: bool = False
    seconds: float = SECONDS_PER_MASK

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f'--correct must be 1 or more labels, got {self.count}.')
        if self.format not in FORMATS:
            raise ValueError(
                f'--correct-format must be one of {FORMATS}, got {self.format!r}.'
            )


def add_corrections(
    entries: Sequence[Entry],
    options: CorrectionOptions,
    spec: Mapping[str, Any],
    work_dir: str,
    where: str,
) -> list[Entry]:
    """Add the stages of a correction to those of a pipeline.

    Args:
        entries: Entries of single stages.
        options: What the user asks for.
        spec: The dataset's ``data_spec``.
        work_dir: The pipeline's work dir.
        where: Pipeline file, for messages.

    Returns:
        The entries with those of the correction.

    Raises:
        ValueError: The pipeline has no pseudo labels that a final model is trained on,
            or simulation lacks the ground truth.
    """
    expanded = list(entries)
    by_name = {entry['name']: entry for entry in expanded}
    lacking = [name for name in (LABELS, MODEL) if name not in by_name]
    if lacking or by_name[MODEL].get('type') != TrainStage.kind:
        raise ValueError(
            f'{where}: --correct needs the stages {LABELS!r} and {MODEL!r}, which is '
            f'trained on them; this pipeline has no {lacking or [MODEL]}.'
        )
    if options.simulate and not (spec.get('train') or {}).get('ann_file'):
        raise ValueError(
            f'{where}: --simulate-corrections needs masks of the training images: '
            'train.ann_file of the dataset.'
        )
    make = _simulated if options.simulate else _by_people
    after = QUALITY if QUALITY in by_name else LABELS
    _insert(expanded, after, make(options, spec, work_dir))
    model = {**by_name[MODEL], 'name': 'corrected_model'}
    again = [{**model, 'labels': '{out:mixed_labels}'}]
    if TEST in by_name:
        again.append({**by_name[TEST], 'name': 'corrected_test'})
    _insert(expanded, TEST if TEST in by_name else MODEL, again)
    for place, entry in enumerate(expanded):
        if entry.get('type') == ReportStage.kind and TEST in by_name:
            own = dict(corrected='corrected_test', corrections='mixed_labels')
            expanded[place] = {**entry, **own}
    return expanded


def _insert(entries: list[Entry], name: str, more: Sequence[Entry]) -> None:
    at = next(i for i, entry in enumerate(entries) if entry['name'] == name)
    entries[at + 1 : at + 1] = more


def _by_people(
    options: CorrectionOptions, spec: Mapping[str, Any], work_dir: str
) -> list[Entry]:
    folder = f'{work_dir}/corrections'
    returned = f'{folder}/{_RETURNED[options.format]}'
    found = f'{folder}/corrected.json'
    classes = [str(name) for name in spec.get('classes') or ()]
    return [
        dict(
            name='corrections',
            type=CorrectionStage.kind,
            pseudo=f'{{out:{LABELS}}}',
            img_dir='{data_root}/{train.img}',
            folder=folder,
            returned=returned,
            count=options.count,
            format=options.format,
        ),
        dict(
            name='import_corrections',
            type='command',
            command=[
                'tools/dataset_converters/import_labels.py',
                *('--from', options.format, returned),
                *('--img-dir', '{data_root}/{train.img}'),
                *(('--classes', *classes) if classes else ()),
                *('--keep-ids', '--out', found, '--overwrite'),
            ],
            # The marker, too: nothing that is half corrected is read.
            inputs=[returned, f'{folder}/{CorrectionStage.marker_name}'],
            outputs=[found],
        ),
        _mixed(options, work_dir, [found], [found]),
    ]


def _simulated(
    options: CorrectionOptions, spec: Mapping[str, Any], work_dir: str
) -> list[Entry]:
    folder = f'{work_dir}/review'
    truth, review = '{data_root}/{train.ann_file}', f'{folder}/review.csv'
    count = str(options.count)
    return [
        dict(
            name='review',
            type='command',
            command=[
                'tools/analysis_tools/review_list.py',
                *(f'{{out:{LABELS}}}', '{data_root}/{train.img}'),
                *('--out-dir', folder),
            ],
            inputs=[f'{{out:{LABELS}}}'],
            outputs=[review],
        ),
        _mixed(
            options,
            work_dir,
            ['--simulate', truth, '--review', review, '--worst', count],
            [truth, review],
        ),
    ]


def _mixed(
    options: CorrectionOptions, work_dir: str, words: list[str], inputs: list[str]
) -> Entry:
    out = f'{work_dir}/mixed_labels.json'
    return dict(
        name='mixed_labels',
        type='command',
        command=[
            'tools/dataset_converters/apply_corrections.py',
            *(f'{{out:{LABELS}}}', *words, '--out', out),
            *('--seconds-per-mask', f'{options.seconds:g}', '--overwrite'),
        ],
        inputs=[f'{{out:{LABELS}}}', *inputs],
        outputs=[out, str(summary_path(out))],
    )
