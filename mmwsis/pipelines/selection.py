"""Which stages a run takes on."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Selection:
    """Which stages to run.

    Attributes:
        first: Leave the stages before this one as they are.
        last: Stop after this one.
        only: Just these; empty means all.
        forced: Run these even if nothing changed.

    Raises:
        ValueError: (by ``check``) a name is no stage of the pipeline.
    """

    first: str | None = None
    last: str | None = None
    only: tuple[str, ...] = ()
    forced: tuple[str, ...] = ()

    def check(self, names: Sequence[str]) -> None:
        """Refuse names that are no stages.

        Args:
            names: Names of the pipeline's stages.
        """
        wanted = [self.first, self.last, *self.only, *self.forced]
        unknown = [name for name in wanted if name is not None and name not in names]
        if unknown:
            raise ValueError(f'No such stage: {unknown}. Stages: {list(names)}.')

    def picks(self, name: str, names: Sequence[str]) -> bool:
        """Whether the stage called ``name`` is to be run.

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
