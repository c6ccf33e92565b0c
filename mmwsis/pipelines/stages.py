"""The kinds of stages that a pipeline file may list, as typed values."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

from mmwsis.formats.map_index import INDEX_NAME

_ROW_KEYS = {'method', 'labels', 'file', 'test', 'paper'}
_TABLE_KEYS = {'title', 'metrics', 'rows'}


@dataclass(frozen=True)
class Round:
    """Which repetition of a group of stages a stage belongs to.

    Attributes:
        group: Name of the entry of type ``rounds``.
        number: Of the round, from 1.
        total: Number of rounds.
        stage: Name of the stage in the file; its own is ``stage@number``.
    """

    group: str
    number: int
    total: int
    stage: str

    @property
    def name(self) -> str:
        """What the round is called on the command line."""
        return f'{self.group}@{self.number}'


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What every stage has.

    Attributes:
        name: Unique within the pipeline; names the log and the manifest entry.
        inputs: Files or directories that the stage needs besides those that its
            config names. Relative to the pipeline's root.
        outputs: Files or directories that the stage makes, besides the ones that its
            kind implies.
        only_with: Dotted keys of the ``data_spec``, such as ``'train.ann_file'``. On a
            dataset that lacks one of them there is no such stage.
        only_without: The same keys; on a dataset that has one there is no such stage.
        run: Which of several trainings that differ in their seed the stage belongs to:
            the n-th adds n - 1 to the seed. Stages of the second have names that end
            in ``_run2``.
        round: Of a stage that is repeated; no key of the file.
    """

    kind: ClassVar[str]

    name: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    only_with: tuple[str, ...] = ()
    only_without: tuple[str, ...] = ()
    run: int = 1
    round: Round | None = None

    @property
    def makes(self) -> tuple[str, ...]:
        """What the file says that the stage makes, ``{out:STAGE}`` first."""
        return self.outputs

    @property
    def name_in_file(self) -> str:
        """Name without round and run."""
        if self.round is not None:
            return self.round.stage
        return self.name.removesuffix(f'_run{self.run}') if self.run > 1 else self.name

    @property
    def repetition(self) -> str:
        """What tells it from others of the same name in the file, such as 'run 2'."""
        return f'run {self.run}' if self.round is None else f'round {self.round.number}'

    @property
    def handles(self) -> tuple[str, ...]:
        """Names that it answers to on the command line.

        A stage that is repeated shares some with others: its name in the file, its
        group's and its round's.
        """
        if self.round is None:
            return self.name, self.name_in_file
        return self.name, self.round.stage, self.round.group, self.round.name


@dataclass(frozen=True, kw_only=True)
class CommandStage(Stage):
    """One of the project's tools, or any program.

    Attributes:
        command: A tool (``'tools/...py'``) or a program, then its arguments.
    """

    kind: ClassVar[str] = 'command'

    command: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ConfigStage(Stage):
    """A stage that runs an MMEngine config.

    Attributes:
        config: Config file, relative to the pipeline file, or ``'mmwsis::...'``.
        cfg_options: Dotted key -> value, as ``--cfg-options`` of the tools.
        work_dir: Where the config's training run lives. By default that of the last
            train stage of the same config; for that one the config's own ``work_dir``,
            else ``work_dirs/<config stem>``, and in it ``round<number>`` where the
            training is repeated.
    """

    config: str
    cfg_options: dict[str, Any] = field(default_factory=dict)
    work_dir: str | None = None


@dataclass(frozen=True, kw_only=True)
class TrainStage(ConfigStage):
    """``tools/train.py`` on a config.

    Attributes:
        labels: Label file to train on instead of the config's, in a work dir of its
            own, whose name ends in ``_corrected``.
    """

    kind: ClassVar[str] = 'train'

    labels: str | None = None


@dataclass(frozen=True, kw_only=True)
class GenerateStage(ConfigStage):
    """``tools/generate_pseudo_labels.py`` with a labeler's last checkpoint.

    Attributes:
        out: Pseudo-label file (``.json``) or folder of maps to write.
        artifact: What to make, such as 'class_maps'; by default what the config says.
        args: Further arguments of the tool, such as ``('--weights', 'teacher')``.
        checkpoint: Checkpoint to use instead of the last one of the work dir.
        has_weights: False for a model that has none, and so no checkpoint.
    """

    kind: ClassVar[str] = 'generate'

    out: str
    artifact: str | None = None
    args: tuple[str, ...] = ()
    checkpoint: str | None = None
    has_weights: bool = True

    @property
    def makes(self) -> tuple[str, ...]:
        """The artifact, and what else the file names."""
        return (self.out, *self.outputs)

    @property
    def result(self) -> Path:
        """File that is there when the stage is finished."""
        out = Path(self.out)
        return out if out.suffix == '.json' else out / INDEX_NAME


@dataclass(frozen=True, kw_only=True)
class TestStage(ConfigStage):
    """``tools/test.py`` with a model's last checkpoint.

    Attributes:
        args: Further arguments of the tool.
        checkpoint: Checkpoint to use instead of the last one of the work dir.
    """

    __test__ = False  # pytest: the name is the field's, this is no test case
    kind: ClassVar[str] = 'test'

    args: tuple[str, ...] = ()
    checkpoint: str | None = None


@dataclass(frozen=True, kw_only=True)
class QualityStage(Stage):
    """``tools/analysis_tools/pseudo_label_quality.py``.

    Attributes:
        pseudo: Pseudo-label file.
        gt: Fully labelled COCO file of the same images.
        img_dir: Folder of the images, for the figure of the worst ones.
        gt_seg_dir: Folder of the PNGs of a panoptic ``gt``. Defaults to that of its
            name without ``.json``.
        args: Further arguments of the tool.
    """

    kind: ClassVar[str] = 'quality'

    pseudo: str
    gt: str
    img_dir: str | None = None
    gt_seg_dir: str | None = None
    args: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CorrectionStage(Stage):
    """Pseudo labels exported for people to correct; the run stops until they have.

    Attributes:
        pseudo: Pseudo-label file.
        img_dir: Folder of the images.
        folder: Where the review list and the export go.
        returned: File or folder in it that holds the labels when they are corrected.
        count: How many labels, the worst first.
        format: Of the labelling tool.
    """

    kind: ClassVar[str] = 'correction'
    marker_name: ClassVar[str] = 'done'

    pseudo: str
    img_dir: str
    folder: str
    returned: str
    count: int
    format: str = 'labelme'

    @property
    def marker(self) -> Path:
        """File by which people say that all is corrected."""
        return Path(self.folder, self.marker_name)


@dataclass(frozen=True, kw_only=True)
class ReportStage(Stage):
    """The summary with figures, written by the runner itself.

    Attributes:
        weak: Test stage of the weakly-supervised final model.
        full: Test stage of its fully-supervised baseline; ``None`` without one.
        full_runs: Test stages of further runs of the baseline, which differ in their
            seed: the noise floor.
        corrected: Test stage of the final model that was trained on corrected labels.
        corrections: Command stage that made these.
        quality: Quality stage; ``None`` without one.
        num_pictures: Samples per contact sheet.
        table: One table of several test stages: ``title``, ``metrics`` as reports call
            them, such as 'AP50', and ``rows``, dicts of ``method``, ``labels`` and
            optionally ``file``, whose images are counted, ``test``, a test stage, and
            ``paper``, its figures for the metrics.
    """

    kind: ClassVar[str] = 'report'

    weak: str | None = None
    full: str | None = None
    full_runs: tuple[str, ...] = ()
    corrected: str | None = None
    corrections: str | None = None
    quality: str | None = None
    num_pictures: int = 6
    table: dict[str, Any] = field(default_factory=dict)


STAGE_TYPES: dict[str, type[Stage]] = {
    stage.kind: stage
    for stage in (
        CommandStage,
        TrainStage,
        GenerateStage,
        QualityStage,
        CorrectionStage,
        TestStage,
        ReportStage,
    )
}


def build_stage(
    settings: dict[str, Any], where: str, round_: Round | None = None
) -> Stage:
    """Turn one entry of a pipeline file's ``stages`` into a stage.

    Args:
        settings: ``dict(name=..., type=..., ...)``; has a name.
        where: Pipeline file, for messages.
        round_: Of a stage that is repeated. Defaults to None.

    Returns:
        The typed stage; lists have become tuples.

    Raises:
        ValueError: Unknown type, unknown or missing key, or a value of a wrong type.
    """
    entry = dict(settings)
    name = entry['name']
    kind = entry.pop('type', None)
    if kind not in STAGE_TYPES:
        raise ValueError(
            f'{where}: stage {name!r}: type must be one of '
            f'{sorted([*STAGE_TYPES, "rounds"])}, got {kind!r}. Stages that are '
            "known by name come with _base_ = 'mmwsis::_base_/pipelines/stages.py'."
        )
    stage_type = STAGE_TYPES[kind]
    known = {item.name: item for item in fields(stage_type) if item.name != 'round'}
    unknown = sorted(set(entry) - set(known))
    if unknown:
        raise ValueError(
            f'{where}: stage {name!r}: unknown keys {unknown}; a {kind} stage knows '
            f'{sorted(known)}.'
        )
    for key, value in entry.items():
        if str(known[key].type).startswith('tuple'):
            entry[key] = _as_strings(value, f'{where}: stage {name!r}: {key}')
    try:
        return stage_type(**entry, round=round_)
    except TypeError as error:
        raise ValueError(f'{where}: stage {name!r}: {error}.') from error


def override_stage(entry: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Change settings of an entry of a pipeline file.

    Args:
        entry: ``dict(name=..., type=..., ...)``.
        changes: Keys of the stage; what is none is a dotted key of its config.

    Returns:
        A changed copy.
    """
    keys = {item.name for item in fields(STAGE_TYPES.get(entry.get('type'), Stage))}
    options = dict(changes.get('cfg_options', {}))
    options.update({k: v for k, v in changes.items() if k not in keys})
    own = {k: v for k, v in changes.items() if k in keys and k != 'cfg_options'}
    changed = {**entry, **own}
    if options:
        changed['cfg_options'] = {**entry.get('cfg_options', {}), **options}
    return changed


def check_table(table: Mapping[str, Any], tests: set[str], where: str) -> None:
    """Refuse a table that cannot be filled.

    Args:
        table: Of :class:`ReportStage`; may be empty.
        tests: Names of the test stages.
        where: Pipeline file and stage, for messages.

    Raises:
        ValueError: Unknown or missing keys, an unknown test stage, or not a figure of
            the paper for every metric.
    """
    if not table:
        return
    if set(table) != _TABLE_KEYS or not table['rows']:
        raise ValueError(
            f'{where}: table must have {sorted(_TABLE_KEYS)}, got {sorted(table)}.'
        )
    for row in table['rows']:
        unknown = set(row) - _ROW_KEYS
        if unknown or not {'method', 'labels'} <= set(row):
            raise ValueError(
                f'{where}: a row of the table needs method and labels, and may have '
                f'file, test and paper; got {sorted(row)}.'
            )
        if row.get('test') is not None and row['test'] not in tests:
            raise ValueError(
                f'{where}: a row of the table refers to test stage {row["test"]!r}; '
                f'there is {sorted(tests)}.'
            )
        if row.get('paper') and len(row['paper']) != len(table['metrics']):
            raise ValueError(
                f'{where}: row {row["method"]!r} of the table has {len(row["paper"])} '
                f'figures of the paper for {len(table["metrics"])} metrics.'
            )


def _as_strings(value: Any, what: str) -> tuple[str, ...]:
    """Accept a list of strings and numbers; refuse a lone string."""
    if isinstance(value, str) or not isinstance(value, (list, tuple)):
        raise ValueError(f'{what} must be a list of strings, got {value!r}.')
    return tuple(str(item) for item in value)
