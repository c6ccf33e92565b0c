"""Which stages a run takes on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .stages import Stage


def named_stages(names: Iterable[str], stages: Sequence[Stage]) -> list[str]:
    """Find the stages that names on the command line stand for.

    Args:
        names: Each a stage, or of stages that are repeated ``STAGE`` (in all rounds),
            ``STAGE@2`` (in round 2), ``GROUP`` (all of them) or ``GROUP@2``.
        stages: Stages of the pipeline.

    Returns:
        Names of stages, in the order of the pipeline.

    Raises:
        ValueError: A name stands for none.
    """
    handles = {handle for stage in stages for handle in stage.handles}
    unknown = [name for name in names if name not in handles]
    if unknown:
        raise ValueError(f'No such stage: {unknown}. Stages: {_listed(stages)}.')
    return [stage.name for stage in stages if set(names) & set(stage.handles)]


def _listed(stages: Sequence[Stage]) -> str:
    """Names as the file has them; of repeated stages, how to name a round."""
    names = dict.fromkeys(stage.name_in_file for stage in stages)
    groups = {stage.round.group: stage.round.total for stage in stages if stage.round}
    hints = [
        f'; {group} stands for its stages, {group}@1 to {group}@{total} for its rounds'
        for group, total in groups.items()
    ]
    return str(list(names)) + ''.join(hints)


@dataclass(frozen=True)
class Selection:
    """Which stages to run, by names as of :func:`named_stages`.

    Attributes:
        first: Leave the stages before this one as they are.
        last: Stop after this one.
        only: Just these; empty means all.
        forced: Run these even if nothing changed.
    """

    first: str | None = None
    last: str | None = None
    only: tuple[str, ...] = ()
    forced: tuple[str, ...] = ()

    def resolved(self, stages: Sequence[Stage]) -> 'Selection':
        """Put names of single stages in place of those that stand for several.

        Args:
            stages: Stages of the pipeline.

        Raises:
            ValueError: A name stands for no stage.
        """
        given = [name for name in (self.first, self.last) if name is not None]
        named_stages([*given, *self.only, *self.forced], stages)  # all that is unknown
        first, last = (
            named_stages([name], stages)[at] if name is not None else None
            for name, at in ((self.first, 0), (self.last, -1))
        )
        only = tuple(named_stages(self.only, stages))
        return Selection(first, last, only, tuple(named_stages(self.forced, stages)))

    def picks(self, name: str, names: Sequence[str]) -> bool:
        """Whether the stage called ``name`` is to be run; for a resolved selection.

        Args:
            name: Name of a stage.
            names: Names of all stages in order.
        """
        if self.only and name not in self.only:
            return False
        position = names.index(name)
        if self.first is not None and position < names.index(self.first):
            return False
        return self.last is None or position <= names.index(self.last)
