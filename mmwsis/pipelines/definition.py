"""Reading a pipeline file.

A pipeline file is an MMEngine config with one entry::

    pipeline = dict(
        name='exits_synthetic',
        title='EXITS on synthetic scenes',
        work_dir='work_dirs/pipelines/exits_synthetic',
        stages=[dict(name='scenes', type='command', command=[...], outputs=[...]), ...],
        fast=dict(
            root='work_dirs/fast',               # where a --fast run puts everything
            labeler=dict(**{'train_cfg.max_epochs': 1}),          # cfg-options, or
            scenes=dict(command=[...]),          # the stage's own keys
        ),
    )

Strings may hold placeholders: ``{name}``, ``{data_root}``, ``{train.ann_file}`` and
so on from the dataset's ``data_spec``, and ``{checkpoint:STAGE}`` for the last
checkpoint of an earlier train stage. A stage with ``only_with=['train.ann_file']`` is
left out on a dataset whose ``data_spec`` has no such entry.

The shipped pipelines take the stages that all methods have from
``configs/_base_/pipelines`` (``_base_.final_model``) and write their own beside them.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from mmengine.config import Config

from .stages import STAGE_TYPES, ConfigStage, ReportStage, Stage, build_stage

_PLACEHOLDER = re.compile(r'\{([A-Za-z_][\w.]*(?::[\w.-]+)?)\}')


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
    file: Path, data_spec: dict[str, Any] | None = None, fast: bool = False
) -> Pipeline:
    """Read and check a pipeline file.

    Args:
        file: Pipeline file.
        data_spec: Description of another dataset (``--dataset``); by default the
            file's own ``data_spec``.
        fast: Apply the file's ``fast`` overrides.

    Returns:
        The pipeline, its placeholders filled except for ``{checkpoint:...}``.

    Raises:
        ValueError: Something in the file is wrong; the message says what and where.
        FileNotFoundError: There is no such file.
    """
    if not file.is_file():
        raise FileNotFoundError(f'Pipeline file {file} does not exist.')
    cfg = Config.fromfile(file)
    if 'pipeline' not in cfg or not isinstance(cfg.get('pipeline'), dict):
        raise ValueError(
            f'{file} is not a pipeline file: it has no `pipeline = dict(...)`. '
            'A single config is trained with tools/train.py.'
        )
    content = cfg.pipeline.to_dict()
    other = data_spec is not None
    spec = data_spec if other else cfg.get('data_spec', {})
    spec = spec.to_dict() if hasattr(spec, 'to_dict') else dict(spec)
    unknown = set(content) - {'name', 'title', 'work_dir', 'stages', 'fast', 'root'}
    if unknown or 'name' not in content or not content.get('stages'):
        raise ValueError(
            f'{file}: pipeline needs name and stages, and may have title, work_dir, '
            f'root and fast; got {sorted(content)}.'
        )
    overrides = content.get('fast', {}) or {} if fast else {}
    if fast and not overrides:
        raise ValueError(f'{file}: there is no `fast=dict(...)`; run without --fast.')
    entries = _apply_fast(content['stages'], overrides, str(file))
    entries = _with_data(entries, spec)
    entries = fill_placeholders(entries, _spec_lookup(spec), str(file))
    stages = tuple(build_stage(entry, str(file)) for entry in entries)
    _check_stages(stages, str(file))
    work_dir = content.get('work_dir') or f'work_dirs/pipelines/{content["name"]}'
    if other:
        # Two datasets never share a manifest.
        work_dir = _in_folder_of(work_dir, str(spec['name']))
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


def fill_placeholders(value: Any, lookup: Callable[[str], str], where: str) -> Any:
    """Fill ``{name}`` placeholders in all strings of nested settings.

    Args:
        value: Nested dicts, lists and strings.
        lookup: Gives the text of a placeholder; raises KeyError for unknown ones.
            ``{checkpoint:...}`` it may leave as it is.
        where: File, for messages.

    Returns:
        A copy with the placeholders filled.

    Raises:
        ValueError: A placeholder is unknown.
    """
    if isinstance(value, dict):
        return {
            key: fill_placeholders(entry, lookup, where) for key, entry in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [fill_placeholders(entry, lookup, where) for entry in value]
    if not isinstance(value, str):
        return value

    def fill(match: re.Match) -> str:
        try:
            return lookup(match[1])
        except KeyError as error:
            raise ValueError(
                f'{where}: placeholder {match[0]} in {value!r} is unknown: '
                f'{error.args[0]}.'
            ) from error

    return _PLACEHOLDER.sub(fill, value)


def _spec_lookup(spec: dict[str, Any]) -> Callable[[str], str]:
    """Look dotted placeholders up in a data spec; leave checkpoints for later."""

    def lookup(key: str) -> str:
        if ':' in key:
            return f'{{{key}}}'
        value = _spec_value(spec, key)
        if value is None:
            known = ', '.join(sorted(spec)) or 'nothing: there is no data_spec'
            raise KeyError(f'the dataset defines {known}')
        return str(value)

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
    entries: list[dict[str, Any]], spec: dict[str, Any]
) -> list[dict[str, Any]]:
    """Leave out the stages that the dataset has no data for."""
    dropped = {
        entry.get('name')
        for entry in entries
        for key in entry.get('only_with', ())
        if _spec_value(spec, key) is None
    }
    kept = [dict(entry) for entry in entries if entry.get('name') not in dropped]
    for entry in kept:
        if entry.get('type') == ReportStage.kind:
            for key in ('weak', 'full', 'quality'):
                if entry.get(key) in dropped:
                    entry[key] = None
    return kept


def _apply_fast(
    entries: list[dict[str, Any]], overrides: dict[str, Any], where: str
) -> list[dict[str, Any]]:
    """Merge the ``fast`` overrides into the stages."""
    names = [entry.get('name') for entry in entries]
    unknown = sorted(set(overrides) - set(names) - {'root'})
    if unknown:
        raise ValueError(f'{where}: fast names {unknown}, stages are {names}.')
    merged = []
    for entry in entries:
        entry = dict(entry)
        changes = dict(overrides.get(entry.get('name'), {}))
        keys = {item.name for item in fields(STAGE_TYPES.get(entry['type'], Stage))}
        options = dict(changes.pop('cfg_options', {}))
        # What is no key of the stage is a dotted key of its config.
        options.update({k: changes.pop(k) for k in list(changes) if k not in keys})
        entry.update(changes)
        if options:
            entry['cfg_options'] = {**entry.get('cfg_options', {}), **options}
        merged.append(entry)
    return merged


def _check_stages(stages: tuple[Stage, ...], where: str) -> None:
    """Refuse double names and a report that refers to stages that are not there."""
    names = [stage.name for stage in stages]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(f'{where}: several stages are named {doubled}.')
    kinds = {stage.name: stage.kind for stage in stages}
    for stage in stages:
        if isinstance(stage, ReportStage):
            wanted = {stage.weak: 'test', stage.full: 'test', stage.quality: 'quality'}
            for name, kind in wanted.items():
                if name is not None and kinds.get(name) != kind:
                    raise ValueError(
                        f'{where}: stage {stage.name!r} refers to {kind} stage '
                        f'{name!r}; the stages are {kinds}.'
                    )
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
