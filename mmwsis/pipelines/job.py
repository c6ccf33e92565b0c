"""What a stage means here, made concrete."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Job:
    """A stage made concrete.

    Attributes:
        command: What is run; empty for a report, which the runner writes itself.
        inputs: Files whose content the result depends on.
        outputs: Files that must exist afterwards.
        settings: Flat settings; a difference makes the stage run again.
        scripts: Tools that are run.
        train_dir: Work dir of a train stage.
        resumable: Files and folders that a killed run continues from and that a
            clean start must not meet; they are moved aside.
        edited: Outputs that people go on with: they must exist, whatever is in them.
    """

    command: list[str] = field(default_factory=list)
    inputs: list[Path] = field(default_factory=list)
    outputs: list[Path] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    scripts: list[Path] = field(default_factory=list)
    train_dir: Path | None = None
    resumable: list[Path] = field(default_factory=list)
    edited: list[Path] = field(default_factory=list)
