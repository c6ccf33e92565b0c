"""Whether a stage must run, and why."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .manifest import StageRecord

_SHOWN = 3


@dataclass(frozen=True)
class Decision:
    """What to do with a stage.

    Attributes:
        action: ``'skip'``, ``'resume'`` (continue a killed run) or ``'run'``.
        reasons: Why it is not skipped, in words.
        code_changes: Source files that differ from those that the stage ran with.
            They do not make it run again: only the user knows whether they matter.
    """

    action: str
    reasons: list[str] = field(default_factory=list)
    code_changes: list[str] = field(default_factory=list)

    @property
    def why(self) -> str:
        """The reasons in one line."""
        return '; '.join(self.reasons)

    @property
    def code_note(self) -> str:
        """The changed source files in one line; empty where there are none."""
        if not self.code_changes:
            return ''
        return f'code changed since: {_listed(self.code_changes)}'


def decide(
    record: StageRecord | None,
    now: StageRecord,
    outputs: dict[str, str | None],
    resumable: bool,
    forced: bool = False,
) -> Decision:
    """Compare a stage as it ran with the stage as it would run now.

    Args:
        record: Manifest entry; ``None`` when it never ran.
        now: Settings, inputs and code as they are now.
        outputs: Recorded output -> its hash now (``None``: missing).
        resumable: Whether something to continue from is there.
        forced: Run it whatever the comparison says, from the start. Defaults to
            False.

    Returns:
        The decision.
    """
    if forced:
        return Decision('run', ['forced'])
    if record is None:
        return Decision('run', ['it has not run yet'])
    code = _code_changes(record.code, now.code)
    changes = [
        *_settings_changes(record.config, now.config),
        *_input_changes(record.inputs, now.inputs),
    ]
    if record.status != 'finished':
        word = 'was interrupted' if record.status == 'running' else 'failed'
        if resumable and not changes:
            return Decision('resume', [f'it {word}'], code)
        return Decision('run', [f'it {word}', *changes])
    changes += _output_changes(record.outputs, outputs)
    return Decision('run', changes) if changes else Decision('skip', [], code)


def _settings_changes(old: dict[str, str], new: dict[str, str]) -> list[str]:
    changes = []
    for key in [*new, *(key for key in old if key not in new)]:
        before, after = old.get(key), new.get(key)
        if before != after:
            change = f'{_short(before)} -> {_short(after)}'
            changes.append(f'setting {key} changed: {change}')
    return _limited(changes, 'settings')


def _input_changes(old: dict[str, str], new: dict[str, str]) -> list[str]:
    changes = []
    for path in sorted({*old, *new}):
        if path not in old:
            changes.append(f'input {path} is new')
        elif path not in new:
            changes.append(f'input {path} is no longer used')
        elif old[path] != new[path]:
            changes.append(f'input {path} changed')
    return _limited(changes, 'inputs')


def _code_changes(old: dict[str, str], new: dict[str, str]) -> list[str]:
    return [path for path in sorted({*old, *new}) if old.get(path) != new.get(path)]


def _output_changes(old: dict[str, str], new: dict[str, str | None]) -> list[str]:
    changes = []
    for path, digest in old.items():
        if new.get(path) is None:
            changes.append(f'output {path} is missing')
        elif new[path] != digest:
            changes.append(f'output {path} was changed by something else')
    return _limited(changes, 'outputs')


def _limited(changes: list[str], what: str) -> list[str]:
    more = len(changes) - _SHOWN
    return changes if more <= 0 else [*changes[:_SHOWN], f'and {more} more {what}']


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = len(names) - _SHOWN
    return ', '.join(names[:_SHOWN]) + (f' and {more} more' if more > 0 else '')


def _short(text: str | None) -> str:
    if text is None:
        return '(none)'
    return text if len(text) <= 60 else f'{text[:57]}...'


def moved_aside(path: Path, stamp: str) -> Path:
    """Return a free name beside ``path`` for what a clean start must not meet.

    Args:
        path: File or folder that is in the way.
        stamp: Time, such as ``'20260131-235959'``.
    """
    candidate = path.with_name(f'{path.name}.stale-{stamp}')
    number = 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f'{path.name}.stale-{stamp}-{number}')
    return candidate
