"""What would stop a stage, looked for in all of them before the first starts."""

import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mmengine.config import Config

from mmwsis.engine.disk_space import Need, space_problems
from mmwsis.engine.label_files import LabelFiles
from mmwsis.engine.run_check import one_message, run_problems, run_space
from mmwsis.engine.run_rules import Made, Run, device_problems, place_problems

from .decision import Decision
from .jobs import Job, JobFactory
from .launch import Launch
from .stages import (
    CommandStage,
    ConfigStage,
    GenerateStage,
    QualityStage,
    Stage,
    TestStage,
    TrainStage,
)

_TASKS = {TrainStage: 'train', GenerateStage: 'generate', TestStage: 'test'}
_LOADER = re.compile(r'\b\w+_dataloader\b')
Planned = tuple[Stage, Job, Decision]


class PipelineCheck:
    """Checks the stages that a run is going to start.

    Call it where relative paths start.

    Args:
        factory: Makes the jobs.
        planned: Stages, jobs and decisions, in their order.
        problems: Name of each stage that could not be planned, and why.

    Attributes:
        errors: Message -> names of the stages that it would stop.
        warnings: What may go wrong.
    """

    def __init__(
        self,
        factory: JobFactory,
        planned: Iterable[Planned],
        problems: Mapping[str, Exception],
    ) -> None:
        self.factory = factory
        self.planned = list(planned)
        self.errors: dict[str, list[str]] = {}
        for name, error in problems.items():
            self._add(str(error), name)
        self._sources: dict[Path, Path | None] = {}
        self._makers: dict[Path, str] = {}
        self._files = LabelFiles()
        self._nested_runs()
        needs: list[Need] = []
        for stage, job, decision in self.planned:
            if decision.action == 'skip':
                continue
            for text in self._problems(stage, job, needs):
                self._add(text, stage.name)
            self._will_make(stage, job)
        starts = [stage for stage, _, d in self.planned if d.action != 'skip']
        if any(isinstance(stage, ConfigStage) for stage in starts):
            for text in _launch_problems(factory.launch):
                self._add(text, 'launch')
        full, self.warnings = space_problems(needs)
        for text in full:
            self._add(text, 'disk space')

    def _add(self, text: str, name: str) -> None:
        """Note an error once, though several loaders of several stages have it."""
        bare = _LOADER.sub('', text)
        same = (one for one in self.errors if _LOADER.sub('', one) == bare)
        names = self.errors.setdefault(next(same, text), [])
        if name not in names:
            names.append(name)

    def message(self) -> str:
        """All errors as one text; empty without any."""
        if not self.errors:
            return ''
        texts = [f'{", ".join(names)}: {text}' for text, names in self.errors.items()]
        return f'{one_message(texts)}\nNothing was started.'

    def _problems(self, stage: Stage, job: Job, needs: list[Need]) -> Iterator[str]:
        yield from self._inputs(stage, job)
        yield from self._outputs(stage, job)
        if isinstance(stage, QualityStage):
            yield from self._quality(stage)
        task = _TASKS.get(type(stage))
        if task is None:
            return
        cfg = self.factory.config_of(stage)
        cfg = Config(cfg.to_dict(), filename=cfg.filename)  # a copy, to be changed
        if task == 'train' and job.train_dir is not None:
            cfg.work_dir = str(job.train_dir)
        if task == 'test':
            cfg.load_from = self._checkpoint(stage)
        outputs = [stage.out] if isinstance(stage, GenerateStage) else job.outputs
        outputs = [] if task == 'train' else outputs
        artifact = stage.artifact if isinstance(stage, GenerateStage) else None
        made = Made(self._sources)
        run = Run(cfg, task, outputs, made, artifact, self._files)
        yield from run_problems(run)
        needs += run_space(run)

    def _checkpoint(self, stage: TestStage) -> str | None:
        path = stage.checkpoint or str(self.factory.checkpoint(stage))
        return path if os.path.isfile(path) else None

    def _inputs(self, stage: Stage, job: Job) -> Iterator[str]:
        """Inputs that neither are there nor are made by a stage before."""
        made = Made(self._sources)
        for path in job.inputs:
            if path in made or path.exists():
                continue
            yield f'it needs {path}, which does not exist. {self._remedy(stage, path)}'

    def _remedy(self, stage: Stage, path: Path) -> str:
        """Which stage makes a file that is not there."""
        for other, job, _ in self.planned:
            made = [*job.outputs, *([job.train_dir] if job.train_dir else [])]
            made += job.resumable if job.edited else []
            if path in made or path.parent in made:
                if other.name == stage.name:
                    break
                return (
                    f'Stage {other.name!r} makes it: run the pipeline from there '
                    f'(--from {other.name}).'
                )
        return 'No stage of the pipeline makes it; see the docs of the dataset.'

    def _outputs(self, stage: Stage, job: Job) -> Iterator[str]:
        """Results that replace an input, or those of another stage."""
        yield from place_problems(job.outputs)
        for path in job.outputs:
            other = self._makers.get(path)
            if other is not None:
                yield f'it writes {path}, as stage {other!r} does. Name another file.'
            if path in job.inputs:
                yield (
                    f'it would replace its own input {path}. Give the weak labels of '
                    'the dataset file a file of their own.'
                )

    def _nested_runs(self) -> None:
        """Note training runs in the folder of another, which a new start moves away."""
        folders = {job.train_dir: stage.name for stage, job, _ in self.planned}
        for folder, name in folders.items():
            for outer in folder.parents if folder is not None else ():
                if outer in folders:
                    self._add(
                        f'its work dir {folder} lies in {outer}, that of stage '
                        f'{folders[outer]!r}. Give the latter a work_dir of its own.',
                        name,
                    )

    def _quality(self, stage: QualityStage) -> Iterator[str]:
        """Images for the figures."""
        folder = stage.img_dir
        if folder and not os.path.isdir(folder) and stage.gt not in Made(self._sources):
            yield f'there is no image folder {folder}.'

    def _will_make(self, stage: Stage, job: Job) -> None:
        """Note results, and a file that lists the same images and classes."""
        source = None
        if isinstance(stage, CommandStage) and len(job.inputs) == 1:
            source = job.inputs[0]
        elif isinstance(stage, GenerateStage):
            loader = self.factory.config_of(stage).get('pseudo_label_dataloader') or {}
            dataset = loader.get('dataset') or {}
            source = Path(dataset.get('data_root') or '', dataset.get('ann_file') or '')
        if source is not None:
            source = Made(self._sources).stand_in(source)
            if source is not None and source.suffix != '.json':
                source = None
        for path in [*job.outputs, *job.resumable]:
            self._sources[path] = source
            self._makers.setdefault(path, stage.name)


def _launch_problems(launch: Launch) -> Iterator[str]:
    """Whether this machine can start the processes."""
    yield from device_problems(launch.gpus, launch.launcher)
    if launch.launcher != 'pytorch':
        return
    text = os.environ.get('PORT', '29500')
    if not text.isdigit() or not 0 < int(text) < 65536:
        yield f'the variable PORT must be a number from 1 to 65535, got {text!r}.'
        return
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            free.bind(('127.0.0.1', int(text)))
        except OSError:
            yield (
                f'port {text} is in use, perhaps by another training. Set the variable '
                f'PORT to another one, such as PORT={int(text) % 65000 + 1}.'
            )
