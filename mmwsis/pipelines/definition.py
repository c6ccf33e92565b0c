"""Reading a pipeline file.

A pipeline file is an MMEngine config with one entry::

    pipeline = dict(
        name='exits_{data}',
        title='EXITS on {title}',
        work_dir='work_dirs/pipelines/exits_{data}',      # this is the default
        dataset='../data_specs/{data}.py',                # file with the data_spec
        data=dict(                                        # --data; the first by default
            coco=dict(title='COCO', final_model='solov2_r50.py'),
            voc=dict(title='VOC 2012', final_model='solov2_r50_voc.py'),
        ),
        common=dict(quality=dict(type='quality', gt='{data_root}/{train.ann_file}')),
        stages=[
            dict(name='labeler', type='train', config='labeler_vit-b_{data}.py'),
            dict(name='quality', pseudo='{out:pseudo_labels}'),    # the rest: `common`
            ...
        ],
        fast=dict(
            root='work_dirs/fast',               # where a --fast run puts everything
            train={'train_cfg.max_iters': 2},    # cfg-options of all stages of a type,
            labeler={'train_cfg.max_iters': 4},  # of one stage, or
            scenes=dict(command=[...]),          # the stage's own keys
        ),
    )

Strings may hold placeholders:

- ``{data}`` and the entries of the chosen ``data`` (``{title}``, ``{final_model}``),
  and ``{supervision}`` of the pipeline, or of the chosen ``data``;
- ``{data_root}``, ``{train.ann_file}`` and so on from the dataset's ``data_spec``;
- ``{out:STAGE}``: file or folder that an earlier stage makes;
- ``{checkpoint:STAGE}``: last checkpoint of an earlier train stage.

Stages that are repeated, each round on the outputs of the one before, stand in an entry
of type ``rounds``: see :mod:`mmwsis.pipelines.rounds`.

A stage with ``only_with=['train.ann_file']`` is left out on a dataset whose
``data_spec`` has no such entry, one with ``only_without`` where it has;
``without=['full_test']`` of the pipeline, or of one of its ``data``, leaves stages out
by name. The stages that all
methods have are in ``configs/_base_/pipelines``, under ``common``. A pipeline that
inherits another changes its stages by ``changes=dict(labeler=dict(work_dir='other'))``;
``cfg_options`` there are added to the stage's own. With
``baseline_seeds=2``, for a ``--fast`` run in ``fast``, the fully-supervised baseline is
trained with two seeds: see :mod:`mmwsis.pipelines.baseline_runs`. ``--correct`` adds
stages of its own: see :mod:`mmwsis.pipelines.corrections`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmwsis.utils.config_files import read_config

from .baseline_runs import repeat_baseline
from .corrections import CorrectionOptions, add_corrections
from .locate import find_config
from .placeholders import fill_placeholders
from .rounds import expand_rounds, file_names, is_group
from .stages import (
    STAGE_TYPES,
    CommandStage,
    ConfigStage,
    GenerateStage,
    ReportStage,
    Round,
    Stage,
    build_stage,
    check_table,
)

_KEYS = {'name', 'title', 'work_dir', 'stages', 'common', 'changes', 'without', 'fast'}
_KEYS |= {'root', 'data', 'dataset', 'supervision', 'baseline_seeds'}


@dataclass(frozen=True)
class Pipeline:
    """A pipeline as its file describes it.

    Attributes:
        file: The pipeline file, absolute.
        name: Short name; names the manifest's owner.
        title: Heading of the report.
        work_dir: Directory for logs, manifest and report, relative to the root.
        root: Directory that relative paths start from, where the file asks for one
            of its own (``fast``); ``None`` is the current directory.
        stages: In the order in which they run.
        data_spec: The dataset's description, possibly empty.
        fast: Whether the ``fast`` overrides were applied.
    """

    file: Path
    name: str
    title: str
    work_dir: str
    root: str | None
    stages: tuple[Stage, ...]
    data_spec: dict[str, Any]
    fast: bool = False


def load_pipeline(
    file: Path,
    data_spec: dict[str, Any] | None = None,
    fast: bool = False,
    data: str | None = None,
    rounds: int | None = None,
    baseline_seeds: int | None = None,
    correct: CorrectionOptions | None = None,
    work_dir: str | None = None,
) -> Pipeline:
    """Read and check a pipeline file.

    Args:
        file: Pipeline file.
        data_spec: Description of another dataset (``--dataset``); by default that of
            the file.
        fast: Apply the file's ``fast`` overrides.
        data: Which of the file's ``data`` the recipe is for (``--data``). Defaults to
            the first.
        rounds: How many rounds, instead of the file's number. Defaults to None.
        baseline_seeds: How many runs of the fully-supervised baseline, instead of the
            file's number, which is 1 where it names none. Defaults to None.
        correct: How pseudo labels are corrected by people. Defaults to None, not.
        work_dir: Work dir instead of the file's. Defaults to None.

    Returns:
        The pipeline, its placeholders filled except for ``{checkpoint:...}``.

    Raises:
        ValueError: Something in the file is wrong, or it knows no such ``data``; the
            message says what and where.
        FileNotFoundError: There is no such file.
    """
    if not file.is_file():
        raise FileNotFoundError(
            f'Pipeline file {file} does not exist. Each method has configs/METHOD/'
            'pipeline.py, with --data NAME, and pipeline_synthetic.py.'
        )
    cfg = read_config(file)
    if 'pipeline' not in cfg or not isinstance(cfg.get('pipeline'), dict):
        raise ValueError(
            f'{file} is not a pipeline file: it has no `pipeline = dict(...)`. '
            'A single config is trained with tools/train.py.'
        )
    content = _with_names(_without_scope(cfg.pipeline.to_dict()), data, str(file))
    other = data_spec is not None
    spec = data_spec if other else _own_spec(cfg, content, file)
    entries = _with_common(content['stages'], content.get('common') or {}, str(file))
    entries = _with_changes(entries, content.get('changes') or {}, str(file))
    _check_names(entries, content.get('without') or (), str(file))
    overrides = _fast_overrides(content, entries, str(file)) if fast else {}
    entries, places = expand_rounds(entries, overrides, str(file), rounds)
    entries = _with_data(entries, spec, content.get('without') or ())
    settings = {'baseline_seeds': 1, **content, **overrides}
    runs = settings['baseline_seeds'] if baseline_seeds is None else baseline_seeds
    entries = repeat_baseline(entries, runs, str(file))
    if work_dir is None:
        work_dir = content.get('work_dir') or f'work_dirs/pipelines/{content["name"]}'
        if other:
            # Two datasets never share a manifest.
            work_dir = _in_folder_of(work_dir, str(spec['name']))
    if correct is not None:
        entries = add_corrections(entries, correct, spec, work_dir, str(file))
    entries = fill_placeholders(entries, _spec_lookup(spec), str(file))
    stages = _with_outputs(entries, places, str(file))
    _check_stages(stages, str(file))
    return Pipeline(
        file=file.resolve(),
        name=content['name'] + (f'_{spec["name"]}' if other else ''),
        title=(content.get('title') or content['name'])
        + (f', on the dataset {spec["name"]} instead' if other else ''),
        work_dir=work_dir,
        root=overrides.get('root', content.get('root')),
        stages=stages,
        data_spec=spec,
        fast=fast,
    )


def _without_scope(value: Any) -> Any:
    """Drop MMEngine's mark of whatever a base of a package (``mmwsis::``) defines."""
    if isinstance(value, dict):
        return {k: _without_scope(v) for k, v in value.items() if k != '_scope_'}
    if isinstance(value, (list, tuple)):
        return [_without_scope(entry) for entry in value]
    return value


def _with_names(
    content: dict[str, Any], data: str | None, where: str
) -> dict[str, Any]:
    """Check the keys of a pipeline, choose its data and fill in what that names."""
    unknown = set(content) - _KEYS
    if unknown or 'name' not in content or not content.get('stages'):
        raise ValueError(
            f'{where}: pipeline needs name and stages, and may have '
            f'{sorted(_KEYS - {"name", "stages"})}; got {sorted(content)}.'
        )
    choices = content.pop('data', None) or {}
    if data is not None and data not in choices:
        known = ', '.join(choices) or 'none: the recipe has one dataset'
        raise ValueError(f'{where}: --data {data} is unknown; there is {known}.')
    data = data or next(iter(choices), None)
    names = {'data': data, **choices[data]} if data else {}
    own = [*(content.get('without') or ()), *(names.pop('without', None) or ())]
    content['without'] = own
    if {'round', 'rounds'} & set(names):
        raise ValueError(f'{where}: data may not define round and rounds; rename them.')
    names.setdefault('supervision', content.get('supervision'))
    return fill_placeholders(content, names.get, where)


def _own_spec(cfg: Config, content: dict[str, Any], file: Path) -> dict[str, Any]:
    """Data spec of the pipeline's own dataset; empty without one."""
    spec = cfg.get('data_spec', {})
    if content.get('dataset'):
        dataset = find_config(content['dataset'], file.resolve().parent)
        spec = read_config(dataset).data_spec
    return spec.to_dict() if hasattr(spec, 'to_dict') else dict(spec)


def _with_common(
    entries: list[dict[str, Any]], common: dict[str, dict[str, Any]], where: str
) -> list[dict[str, Any]]:
    """Complete stages by what ``common`` says of their names."""
    merged = [{**common.get(entry.get('name'), {}), **entry} for entry in entries]
    for entry in merged:
        if not (isinstance(entry.get('name'), str) and entry['name']):
            raise ValueError(f'{where}: a stage needs a name, got {entry!r}.')
        if is_group(entry):
            entry['stages'] = _with_common(entry.get('stages') or [], common, where)
    return merged


def _with_changes(
    entries: list[dict[str, Any]], changes: dict[str, dict[str, Any]], where: str
) -> list[dict[str, Any]]:
    """Change stages, those of rounds too, by what ``changes`` says of their names."""
    names = {
        part['name']
        for entry in entries
        for part in (entry, *(entry['stages'] if is_group(entry) else ()))
    }
    if unknown := sorted(set(changes) - names):
        raise ValueError(
            f'{where}: changes of {unknown}; the stages are {sorted(names)}.'
        )
    return [_changed(entry, changes) for entry in entries]


def _changed(
    entry: dict[str, Any], changes: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    changed = {**entry, **changes.get(entry['name'], {})}
    if 'cfg_options' in changed:
        own = entry.get('cfg_options') or {}
        changed['cfg_options'] = {**own, **changed['cfg_options']}
    if is_group(changed):
        changed['stages'] = [_changed(part, changes) for part in changed['stages']]
    return changed


def _with_outputs(
    entries: list[dict[str, Any]], places: dict[str, Round], where: str
) -> tuple[Stage, ...]:
    """Build the stages; fill in what the ones before make, ``{out:STAGE}``."""
    made: dict[str, str] = {}

    def lookup(key: str) -> str | None:
        kind, _, name = key.partition(':')
        if kind != 'out':
            return None
        if name not in made:
            raise KeyError(
                f'the stages before with an output are {sorted(made)}; the weights of '
                'a train stage are {checkpoint:STAGE}'
            )
        return made[name]

    stages = []
    for entry in entries:
        entry = fill_placeholders(entry, lookup, where)
        stage = build_stage(entry, where, places.get(entry['name']))
        stages.append(stage)
        if isinstance(stage, (GenerateStage, CommandStage)) and stage.makes:
            made[stage.name] = stage.makes[0]
    return tuple(stages)


def _spec_lookup(spec: dict[str, Any]) -> Callable[[str], Any]:
    """Look dotted placeholders up in a data spec; leave checkpoints for later."""

    def lookup(key: str) -> Any:
        if ':' in key:
            return None
        value = _spec_value(spec, key)
        if value is None:
            known = ', '.join(sorted(spec)) or 'nothing: there is no data_spec'
            raise KeyError(f'the dataset defines {known}')
        return value

    return lookup


def _spec_value(spec: dict[str, Any], key: str) -> Any:
    """Entry of a data spec under a dotted key, ``None`` where there is none."""
    value: Any = spec
    for part in key.split('.'):
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def _with_data(
    entries: list[dict[str, Any]], spec: dict[str, Any], without: Iterable[str]
) -> list[dict[str, Any]]:
    """Leave out stages that the dataset has no data for, and those in ``without``."""
    dropped = {
        entry['name']
        for entry in entries
        if entry['name'].partition('@')[0] in without
        or any(_spec_value(spec, key) is None for key in entry.get('only_with', ()))
        or any(_spec_value(spec, key) for key in entry.get('only_without', ()))
    }
    kept = [dict(entry) for entry in entries if entry.get('name') not in dropped]
    for entry in kept:
        if entry.get('type') == ReportStage.kind:
            for key in ('weak', 'full', 'quality'):
                if entry.get(key) in dropped:
                    entry[key] = None
            table = entry.get('table') or {}
            rows = [r for r in table.get('rows', ()) if r.get('test') not in dropped]
            if table:
                entry['table'] = {**table, 'rows': rows} if rows else {}
    return kept


def _check_names(
    entries: list[dict[str, Any]], without: Iterable[str], where: str
) -> None:
    """Refuse names that stand for several stages, one round of a stage, or nothing."""
    names = file_names(entries)
    unknown = sorted(set(without) - set(names))
    if unknown:
        raise ValueError(f'{where}: without names {unknown}, stages are {names}.')
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(f'{where}: several stages are named {doubled}.')
    marked = [name for name in names if '@' in name]
    if marked:
        raise ValueError(
            f'{where}: stages are named {marked}, but what follows an @ is the round '
            'of a stage that is repeated. Choose other names.'
        )


def _fast_overrides(
    content: dict[str, Any], entries: list[dict[str, Any]], where: str
) -> dict[str, Any]:
    """The file's ``fast``; its keys are types and names of stages, and ``root``."""
    overrides = content.get('fast') or {}
    if not overrides:
        raise ValueError(f'{where}: there is no `fast=dict(...)`; run without --fast.')
    names = file_names(entries)
    known = {*names, *STAGE_TYPES, 'rounds', 'root', 'baseline_seeds'}
    unknown = sorted(set(overrides) - known)
    if unknown:
        raise ValueError(f'{where}: fast names {unknown}, stages are {names}.')
    return overrides


def _check_stages(stages: tuple[Stage, ...], where: str) -> None:
    """Refuse a report that refers to stages that are not there, and odd options."""
    kinds = {stage.name: stage.kind for stage in stages}
    for stage in stages:
        if isinstance(stage, ReportStage):
            for key, kind in (('weak', 'test'), ('full', 'test'), ('quality',) * 2):
                name = getattr(stage, key)
                if name is not None and kinds.get(name) != kind:
                    raise ValueError(
                        f'{where}: stage {stage.name!r} refers to {kind} stage '
                        f'{name!r}; there is {[k for k in kinds if kinds[k] == kind]}. '
                        f'Name one of them, or none: {key}=None.'
                    )
            tests = {name for name, kind in kinds.items() if kind == 'test'}
            check_table(stage.table, tests, f'{where}: stage {stage.name!r}')
        if isinstance(stage, ConfigStage):
            for key in stage.cfg_options:
                if not isinstance(key, str):
                    raise ValueError(
                        f'{where}: stage {stage.name!r}: cfg_options has key {key!r}, '
                        'expected a dotted string.'
                    )


def _in_folder_of(work_dir: str, name: str) -> str:
    """``work_dirs/X`` -> ``work_dirs/<name>/X``, as data specs do it everywhere."""
    head, _, tail = work_dir.partition('work_dirs/')
    return f'{head}work_dirs/{name}/{tail}' if tail else f'{work_dir}/{name}'
