"""What a rule of the label file is."""

from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """How bad an issue is.

    ``ERROR``: the file cannot be trained on, or would be read as something else.
    ``WARNING``: it is read, but probably not as it was meant. ``NOTE``: worth knowing.
    """

    NOTE = 0
    WARNING = 1
    ERROR = 2

    @property
    def label(self) -> str:
        """Lower-case name, as in reports."""
        return self.name.lower()


@dataclass(frozen=True)
class Rule:
    """One rule of the format.

    Attributes:
        name: What reports and scripts call it.
        severity: Of an issue.
        statement: What must hold.
        advice: What to do where it does not.
        fix: What ``--fix`` does about it; empty: nothing.
    """

    name: str
    severity: Severity
    statement: str
    advice: str
    fix: str = ''
