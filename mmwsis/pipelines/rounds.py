"""Stages that are repeated, each round on the outputs of the one before.

An entry of ``stages`` may hold stages of its own::

    dict(
        name='refine',
        type='rounds',
        rounds=6,
        first=dict(labels='{out:initial_labels}'),
        stages=[
            dict(
                name='network',
                type='train',
                config='network.py',
                cfg_options={
                    'train_dataloader.dataset.ann_file': '{previous:labels}',
                    'load_from': '{previous_checkpoint:network}',
                },
            ),
            dict(
                name='labels',
                type='generate',
                config='network.py',
                out='labels_round{round}.json',
            ),
        ],
        from_round={6: dict(labels={'model.merge': False})},
    )

It becomes ``network@1``, ``labels@1``, ``network@2`` and so on. Their strings may hold

- ``{round}``, from 1, and ``{rounds}``, how many there are;
- ``{previous:STAGE}``: what a stage made in the round before; in round 1 what ``first``
  gives for it;
- ``{previous_checkpoint:STAGE}``: its last checkpoint; in round 1 what ``first`` gives,
  and without that an option of ``cfg_options`` is left out;
- ``{out:STAGE}`` and ``{checkpoint:STAGE}`` of the same round; after the group they are
  those of the last round.

``from_round`` changes settings of stages, as ``fast`` does, from a round on. Stages
that ``for_next=['labels']`` names make what only the next round reads; the last round
does without them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from .durations import format_duration
from .manifest import StageRecord
from .placeholders import fill_placeholders
from .stages import Round, Stage, override_stage

_KEYS = {'name', 'type', 'rounds', 'first', 'stages', 'from_round', 'for_next'}
_ONLY_IN_ROUNDS = ('round', 'rounds', 'previous', 'previous_checkpoint')
Entry = dict[str, Any]


def is_group(entry: Mapping[str, Any]) -> bool:
    """Whether an entry of a pipeline file holds stages to repeat.

    Args:
        entry: Entry of ``stages``.
    """
    return entry.get('type') == 'rounds'


def file_names(entries: Iterable[Entry]) -> list[str]:
    """Names of stages as the file has them, those of groups and what they hold too.

    Args:
        entries: Entries of ``stages``.
    """
    names = []
    for entry in entries:
        inner = entry['stages'] if is_group(entry) else []
        names += [entry['name'], *file_names(inner)]
    return names


def expand_rounds(
    entries: Sequence[Entry],
    overrides: Mapping[str, Any],
    where: str,
    rounds: int | None = None,
) -> tuple[list[Entry], dict[str, Round]]:
    """Write the stages of every round out.

    Args:
        entries: Entries of ``stages``.
        overrides: ``fast``: settings by type or name of stages; the last word.
        where: Pipeline file, for messages.
        rounds: How many, whatever the file says (``--rounds``). Defaults to None.

    Returns:
        Entries of single stages, and the round of each that has one, by its name.

    Raises:
        ValueError: A group that cannot be expanded; the message says what and where.
    """
    groups = [entry['name'] for entry in entries if is_group(entry)]
    if rounds is not None and len(groups) != 1:
        raise ValueError(
            f'{where}: --rounds is for a pipeline with one entry of type rounds, this '
            f'one has {groups or "none"}.'
        )
    last: dict[str, str] = {}
    places: dict[str, Round] = {}
    expanded = []
    for entry in entries:
        if not is_group(entry):
            entry = _overridden(entry, overrides)
            entry = fill_placeholders(entry, _outside(last), where)
            if entry.get('type') == 'report':  # it names stages without braces
                names = {key: last.get(str(name)) for key, name in entry.items()}
                entry.update({key: name for key, name in names.items() if name})
            expanded.append(entry)
            continue
        group = _Group(entry, overrides, where, _outside(last), rounds)
        for number in range(1, group.total + 1):
            for stage in group.round_of(number):
                name = f'{stage["name"]}@{number}'
                places[name] = Round(group.name, number, group.total, stage['name'])
                expanded.append({**stage, 'name': name})
        last.update({name: f'{name}@{group.total}' for name in group.lasting})
    return expanded, places


def _overridden(entry: Entry, overrides: Mapping[str, Any]) -> Entry:
    """A stage with the settings of its type and its own in place."""
    for key in (entry.get('type'), entry['name']):
        entry = override_stage(entry, overrides.get(key) or {})
    return entry


def _outside(last: Mapping[str, str]) -> Callable[[str], str | None]:
    """Look placeholders up outside of a group: repeated stages mean the last round."""

    def lookup(key: str) -> str | None:
        kind, _, name = key.partition(':')
        if kind in _ONLY_IN_ROUNDS:
            raise KeyError('only stages of an entry of type rounds have it')
        return f'{{{kind}:{last[name]}}}' if name in last else None

    return lookup


class _Group:
    """An entry of type ``rounds``, checked."""

    def __init__(
        self,
        entry: Entry,
        overrides: Mapping[str, Any],
        where: str,
        outside: Callable[[str], str | None],
        rounds: int | None,
    ) -> None:
        self.name, self.where = entry['name'], where
        self.overrides, self._outside = overrides, outside
        own = overrides.get(self.name) or {}
        entry = {**entry, **(overrides.get('rounds') or {}), **own}
        unknown = sorted(set(entry) - _KEYS)
        if unknown:
            raise self._error(f'unknown keys {unknown}; it knows {sorted(_KEYS)}')
        self.total = entry.get('rounds') if rounds is None else rounds
        if not _is_count(self.total):
            raise self._error(f'rounds must be an integer >= 1, got {self.total!r}')
        self.stages: list[Entry] = entry.get('stages') or []
        self.kinds = {stage['name']: stage.get('type') for stage in self.stages}
        self.names = list(self.kinds)
        refused = {'report', 'rounds'} & set(self.kinds.values())
        if not self.stages or refused:
            found = f'found type {sorted(refused)}' if refused else 'got none'
            raise self._error(f'stages must be stages to repeat, {found}')
        first = self._by_name('first', entry.get('first') or {})
        self.first = fill_placeholders(first, outside, where)
        self.changes = entry.get('from_round') or {}
        if not isinstance(self.changes, dict) or not all(map(_is_count, self.changes)):
            raise self._error(
                'from_round must be a dict with rounds as keys, integers >= 1; got '
                f'{self.changes!r}'
            )
        for number, changes in self.changes.items():
            self._by_name(f'from_round[{number}]', changes)
        self.for_next = entry.get('for_next') or []
        unknown = sorted(set(self.for_next) - set(self.names))
        if unknown:
            raise self._error(f'for_next names {unknown}, its stages are {self.names}')
        self._written: dict[tuple[str, str], int] = {}

    @property
    def lasting(self) -> list[str]:
        """Names of the stages of the last round."""
        return [name for name in self.names if name not in self.for_next]

    def _error(self, text: str) -> ValueError:
        return ValueError(f'{self.where}: rounds {self.name!r}: {text}.')

    def _by_name(self, key: str, value: Any) -> dict[str, Any]:
        """Check a dict that has names of the group's stages as keys."""
        if not isinstance(value, dict) or set(value) - set(self.names):
            raise self._error(
                f'{key} must be a dict by names of its stages {self.names}, got {value}'
            )
        return dict(value)

    def round_of(self, number: int) -> Iterator[Entry]:
        """Yield the stages of a round, under their names in the file."""
        for entry in self.stages:
            name = entry['name']
            if number == self.total and name in self.for_next:
                continue
            for start in sorted(self.changes):
                if start <= number:
                    entry = override_stage(entry, self.changes[start].get(name, {}))
            entry = self._startable(_overridden(entry, self.overrides), number)
            entry = fill_placeholders(entry, self._inside(number), self.where)
            self._check_written(entry, number)
            yield entry

    def _startable(self, entry: Entry, number: int) -> Entry:
        """Leave out options that start from a checkpoint which round 1 has not."""
        if number > 1 or 'cfg_options' not in entry:
            return entry
        lacking = [
            f'{{previous_checkpoint:{name}}}'
            for name, kind in self.kinds.items()
            if kind == 'train' and name not in self.first
        ]
        options = {
            key: value
            for key, value in entry['cfg_options'].items()
            if not any(text in str(value) for text in lacking)
        }
        return {**entry, 'cfg_options': options}

    def _inside(self, number: int) -> Callable[[str], int | str | None]:
        """Look placeholders up in a round."""

        def lookup(key: str) -> int | str | None:
            kind, _, name = key.partition(':')
            if key in ('round', 'rounds'):
                return number if key == 'round' else self.total
            if kind in ('previous', 'previous_checkpoint'):
                return self._before(kind, name, number)
            return f'{{{key}@{number}}}' if name in self.names else self._outside(key)

        return lookup

    def _before(self, kind: str, name: str, number: int) -> str:
        """What a stage made in the round before."""
        if name not in self.names:
            raise KeyError(f'the stages of {self.name!r} are {self.names}')
        trained = self.kinds[name] == 'train'
        if trained != (kind == 'previous_checkpoint'):
            right = 'previous_checkpoint' if trained else 'previous'
            raise KeyError(
                f'the next round has {{{right}:{name}}} of a {self.kinds[name]} stage'
            )
        if number > 1:
            return f'{{{"checkpoint" if trained else "out"}:{name}@{number - 1}}}'
        if name not in self.first:
            raise KeyError(
                'there is no round before the first. Give rounds '
                f'{self.name!r} an entry first=dict({name}=...)'
            )
        return self.first[name]

    def _check_written(self, entry: Entry, number: int) -> None:
        """Refuse two rounds that write the same files."""
        keys = [
            'out',
            'outputs',
            *(['work_dir'] if entry.get('type') == 'train' else []),
        ]
        for key in keys:
            value = entry.get(key) or []
            for path in [value] if isinstance(value, str) else value:
                other = self._written.setdefault((entry['name'], path), number)
                if other != number:
                    raise self._error(
                        f'stage {entry["name"]!r} writes {path} in round {other} and '
                        f'in round {number}. Put {{round}} into {key}'
                    )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def round_heading(
    place: Round, stages: Iterable[Stage], records: Mapping[str, StageRecord]
) -> str:
    """Name a round for people, with the time that it has taken.

    Args:
        place: The round.
        stages: Stages of the pipeline.
        records: How stages ran, by name.
    """
    names = [one.name for one in stages if one.round and one.round.name == place.name]
    ran = [records[name] for name in names if name in records]
    text = f'{place.group}, round {place.number} of {place.total}'
    if not ran:
        return text
    done = len(ran) == len(names) and all(one.status == 'finished' for one in ran)
    took = format_duration(sum(one.seconds for one in ran))
    return f'{text}: took {took}' + ('' if done else ' so far')


def unused_rounds(stages: Iterable[Stage], recorded: Iterable[str]) -> list[str]:
    """Find rounds of earlier runs that a pipeline does not have any more.

    Args:
        stages: Stages of the pipeline.
        recorded: Names of stages that have run.

    Returns:
        One sentence for each group that has had more rounds.
    """
    groups: dict[str, Round] = {}
    owner = {}
    for stage in stages:
        if stage.round is not None:
            groups[stage.round.group] = stage.round
            owner[stage.round.stage] = stage.round.group
    most: dict[str, int] = {}
    for name in recorded:
        base, _, number = name.rpartition('@')
        if base in owner and number.isdigit():
            most[owner[base]] = max(most.get(owner[base], 0), int(number))
    return [
        f'{name}: {_span(groups[name].total + 1, found)} of an earlier run '
        f'{"stays" if found == groups[name].total + 1 else "stay"} on disk unused; '
        f'--rounds {found} takes up again what has not changed.'
        for name, found in most.items()
        if found > groups[name].total
    ]


def _span(first: int, last: int) -> str:
    return f'round {first}' if first == last else f'rounds {first} to {last}'
