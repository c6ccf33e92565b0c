"""Runs the stages of a pipeline in order, skipping what is done and unchanged."""

import datetime
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mmwsis.utils.process_lock import ProcessLock

from .correction_job import waiting_message
from .decision import Decision, decide, moved_aside
from .definition import Pipeline
from .durations import format_duration
from .jobs import Job, JobFactory
from .launch import shown
from .locate import PACKAGE_DIR, working_in
from .manifest import (
    FileHasher,
    Manifest,
    StageRecord,
    code_version,
    read_stamp,
    write_stamp,
)
from .process import last_lines, run_logged
from .selection import Selection, named_stages
from .stages import CorrectionStage, Stage, TrainStage

if TYPE_CHECKING:
    from .check import PipelineCheck

Say = Callable[[str], None]


class StageFailedError(RuntimeError):
    """A stage did not succeed; the message says how to continue."""


@dataclass
class StageOutcome:
    """How one stage went.

    Attributes:
        stage: The stage.
        status: ``'ran'``, ``'resumed'``, ``'unchanged'`` or ``'left out'``.
        seconds: Wall-clock time of the run that made its outputs.
        reason: Why it ran.
    """

    stage: Stage
    status: str
    seconds: float = 0.0
    reason: str = ''


@dataclass
class PipelineRunner:
    """Runs a pipeline.

    Args:
        factory: Makes jobs of the pipeline's stages.
        selection: Which stages to run. Defaults to all.
        say: Receives the lines for the console. Defaults to ``print``.
        write_report: Writes the report of a report stage. Defaults to None: a report
            stage is an error.
    """

    factory: JobFactory
    selection: Selection = field(default_factory=Selection)
    say: Say = print
    write_report: Callable[..., None] | None = None

    def __post_init__(self) -> None:
        self.pipeline: Pipeline = self.factory.pipeline
        self.root = self.factory.root
        self.names = [stage.name for stage in self.pipeline.stages]
        self.selection = self.selection.resolved(self.pipeline.stages)
        self.work_dir = self.root / self.pipeline.work_dir
        self.hasher = FileHasher(self.work_dir / 'hash_cache.json')
        self.manifest = Manifest(self.work_dir / 'manifest.json', self.pipeline.name)
        self.outcomes: list[StageOutcome] = []
        self.waiting: str | None = None  # what people must do before it goes on
        self._adopted: set[str] = set()

    def plan(self) -> list[tuple[Stage, Job, Decision]]:
        """Say what a run would do, without doing it.

        Returns:
            Stage, job and decision for each stage. A stage whose input an earlier
            stage is about to make may turn out to be unchanged when it is reached.
        """
        planned, problems = self.plan_what_can_be()
        for error in problems.values():
            raise error
        return planned

    def plan_what_can_be(
        self,
    ) -> tuple[list[tuple[Stage, Job, Decision]], dict[str, Exception]]:
        """As :meth:`plan`, but go on where a stage cannot be made.

        Returns:
            What can be planned, and for each other stage what is wrong.
        """
        planned, remade = [], {}
        problems: dict[str, Exception] = {}
        for stage in self.pipeline.stages:
            try:
                job = self.factory.make(stage)
            except (OSError, ValueError) as error:
                problems[stage.name] = error
                continue
            if not self.selection.picks(stage.name, self.names):
                planned.append((stage, job, Decision('skip', ['left out'])))
                continue
            decision = self._decide(stage, job)
            if decision.action == 'skip' and self._waits(stage):
                decision = Decision('resume', ['it waits for corrections'])
            makers = {
                maker
                for path in job.inputs
                for made, maker in remade.items()
                if path == made or made in path.parents
            }
            if decision.action == 'skip' and makers:
                reason = f'its input comes from {sorted(makers)}'
                decision = Decision('run', [f'{reason} (unless that stays the same)'])
            if decision.action != 'skip':
                # What stands beside an output, such as another checkpoint of the
                # same training run, is remade with it.
                made = [*job.outputs, *([job.train_dir] if job.train_dir else [])]
                remade.update(dict.fromkeys(made, stage.name))
            planned.append((stage, job, decision))
        return planned, problems

    def check(self) -> 'PipelineCheck':
        """Look for what would stop a stage, in all that are to run."""
        # Here, because it imports MMDetection, for which a slip in an option need not
        # wait.
        from .check import PipelineCheck

        planned, problems = self.plan_what_can_be()
        with working_in(self.root):
            return PipelineCheck(self.factory, planned, problems)

    def run(self) -> list[StageOutcome]:
        """Run the selected stages.

        Returns:
            One outcome per stage.

        Raises:
            StageFailedError: A check found what would stop a stage, and none was
                started; or a stage failed: the message holds the stage, the command,
                the end of its log and how to continue.
            RuntimeError: Another run of the same pipeline is under way.
        """
        check = self.check()
        if check.errors:
            raise StageFailedError(check.message())
        for text in check.warnings:
            self.say(f'warning: {text}')
        self.work_dir.mkdir(parents=True, exist_ok=True)
        with self._lock() as lock:
            for number, stage in enumerate(self.pipeline.stages, start=1):
                title = f'[{number}/{len(self.names)}] {stage.name} ({stage.kind})'
                if stage.round:
                    title += f', round {stage.round.number} of {stage.round.total}'
                if not self.selection.picks(stage.name, self.names):
                    self.outcomes.append(self._left_out(stage))
                    continue
                self.outcomes.append(self._run_stage(stage, title, lock))
                if self._waits(stage):
                    self.waiting = waiting_message(stage, self.root)
                    break
        return self.outcomes

    def _waits(self, stage: Stage) -> bool:
        """Whether people have yet to say that they have corrected what was exported."""
        is_export = isinstance(stage, CorrectionStage)
        return is_export and not (self.root / stage.marker).is_file()

    def _lock(self) -> ProcessLock:
        """One run of a pipeline at a time; commands inherit the lock."""
        file = self.work_dir / '.lock'
        refusal = 'This pipeline is already running'
        return ProcessLock(file, refusal, leave_to_forks=True)

    def _left_out(self, stage: Stage) -> StageOutcome:
        record = self.manifest.stages.get(stage.name)
        return StageOutcome(stage, 'left out', record.seconds if record else 0.0)

    def _run_stage(self, stage: Stage, title: str, lock: ProcessLock) -> StageOutcome:
        job = self.factory.make(stage)
        decision = self._decide(stage, job)
        if decision.action == 'skip':
            record = self._record(stage, job)
            self.manifest.stages[stage.name] = record
            self.manifest.save()
            took = f'unchanged, took {format_duration(record.seconds)}'
            self.say(f'{title}: {took}{noted(decision, stage)}')
            return StageOutcome(stage, 'unchanged', record.seconds)
        self._require_inputs(stage, job)
        resume = decision.action == 'resume'
        verb = 'resumes' if resume else 'runs'
        self.say(f'\n{title}: {verb}, because {decision.why}')
        if not resume:
            self._clear_way(job)
        if resume and isinstance(stage, TrainStage):
            job.command.append('--resume')
        record = self._begin(stage, job, resume)
        started = time.monotonic()
        try:
            problem = self._execute(stage, job, resume, lock)
        finally:
            record.seconds += time.monotonic() - started
            self.manifest.save()
        self._finish(stage, record, problem)
        self.say(f'{stage.name}: done in {format_duration(record.seconds)}')
        status = 'resumed' if resume else 'ran'
        return StageOutcome(stage, status, record.seconds, decision.why)

    def _execute(
        self, stage: Stage, job: Job, resume: bool, lock: ProcessLock
    ) -> str | None:
        """Run the stage; return what went wrong."""
        if stage.kind == 'report':
            if self.write_report is None:
                raise RuntimeError(f'Nothing writes the report of {stage.name!r}.')
            self.write_report(self, stage)
            return None
        self.say(f'$ {shown(job.command)}')
        status = run_logged(
            job.command,
            self.log_file(stage.name),
            cwd=self.root,
            env=self.environment(),
            append=resume,
            keep_open=lock.fileno(),
            header=f'# {_now()} in {self.root}\n$ {shown(job.command)}',
        )
        if status == 0:
            return None
        return f'ended with status {status}'

    @staticmethod
    def environment() -> dict[str, str]:
        """Return the environment of the tools: the package can be imported."""
        environment = dict(os.environ)
        old = environment.get('PYTHONPATH')
        root = str(PACKAGE_DIR.parent)
        environment['PYTHONPATH'] = f'{root}{os.pathsep}{old}' if old else root
        return environment

    def log_file(self, name: str) -> Path:
        """Return the log of a stage."""
        return self.work_dir / 'logs' / f'{name}.log'

    def _begin(self, stage: Stage, job: Job, resume: bool) -> StageRecord:
        """Note in the manifest that the stage is running, and with what."""
        record = self._as_it_is_now(job)
        old = self._record(stage, job)
        if resume and old is not None:
            record.seconds, record.resumed = old.seconds, old.resumed + 1
        record.command, record.started = job.command, _now()
        self.manifest.stages[stage.name] = record
        self._save(record, job)
        return record

    def _record(self, stage: Stage, job: Job) -> StageRecord | None:
        """How the stage ran last, in this pipeline or in one that shares it."""
        if job.train_dir is not None and stage.name not in self._adopted:
            stamp = read_stamp(self.root / job.train_dir)
            if stamp is not None:
                return stamp
        return self.manifest.stages.get(stage.name)

    def _save(self, record: StageRecord, job: Job) -> None:
        self.manifest.save()
        self.hasher.save()
        if job.train_dir is not None:
            write_stamp(self.root / job.train_dir, record)

    def _finish(self, stage: Stage, record: StageRecord, problem: str | None) -> None:
        """Note the outputs; raise when the stage failed or wrote too little."""
        job = self.factory.make(stage)  # the checkpoint has its name by now
        outputs, missing = self._outputs(job)
        if problem is None and missing:
            problem = f'ended well, but did not write {", ".join(missing)}'
        record.finished = _now()
        record.status = 'finished' if problem is None else 'failed'
        if problem is None:
            record.outputs = outputs
        self._save(record, job)
        if problem is not None:
            raise StageFailedError(self._failure(stage, record, problem))

    def _outputs(self, job: Job) -> tuple[dict[str, str], list[str]]:
        """Hashes of a job's outputs, and those that are missing."""
        hashes = {str(path): self._digest(path, job) for path in job.outputs}
        missing = [path for path, digest in hashes.items() if digest is None]
        return {path: digest or '' for path, digest in hashes.items()}, missing

    def _digest(self, path: Path, job: Job) -> str | None:
        """Hash of an output; of one that people edit only whether it is there."""
        if path in job.edited:
            return 'edited by people' if (self.root / path).exists() else None
        return self.hasher(self.root / path)

    def _failure(self, stage: Stage, record: StageRecord, problem: str) -> str:
        log = self.log_file(stage.name)
        tail = '\n'.join(f'  | {line}' for line in last_lines(log))
        return (
            f'Stage {stage.name!r} {problem}.\n'
            f'  command: {shown(record.command)}\n  in: {self.root}\n'
            f'  log: {log}; its last lines:\n{tail}\n'
            'Fix the cause, then give the same pipeline command again: finished '
            'stages are skipped'
            + (
                ', and training goes on from its last checkpoint unless config or '
                f'inputs change (--force {stage.name} starts it anew).'
                if isinstance(stage, TrainStage)
                else '.'
            )
        )

    def _require_inputs(self, stage: Stage, job: Job) -> None:
        """Refuse to start without an input; say which stage makes it."""
        missing = [path for path in job.inputs if not (self.root / path).exists()]
        if not missing:
            return
        makers = {}
        for other in self.pipeline.stages[: self.names.index(stage.name)]:
            made = self.factory.make(other)
            folders = made.resumable if made.edited else []
            folders = [made.train_dir] if made.train_dir is not None else folders
            makers.update(dict.fromkeys([*made.outputs, *folders], other.name))
        path = missing[0]
        maker = makers.get(path) or makers.get(path.parent)
        remedy = (
            f'Stage {maker!r} makes it: run the pipeline from there (--from {maker}).'
            if maker
            else 'No stage of the pipeline makes it; see the docs of the dataset.'
        )
        raise StageFailedError(
            f'Stage {stage.name!r} needs {path}, which does not exist below '
            f'{self.root}. {remedy}'
        )

    def _clear_way(self, job: Job) -> None:
        """Move leftovers of other settings aside, so that nothing is mixed."""
        stamp = datetime.datetime.now().strftime('%Y%m%d-%H%M%S')
        for path in job.resumable:
            place = self.root / path
            if not place.exists():
                continue
            if place.is_dir() and not any(place.rglob('*')):
                continue
            aside = moved_aside(place, stamp)
            shutil.move(place, aside)
            self.say(f'moved {path} of an earlier run to {aside.name}')

    def _decide(self, stage: Stage, job: Job) -> Decision:
        record = self._record(stage, job)
        recorded = record.outputs if record else {}
        outputs = {path: self._digest(Path(path), job) for path in recorded}
        if job.train_dir is not None:
            resumable = (self.root / job.train_dir / 'last_checkpoint').is_file()
        else:
            # Half an export is not gone on with.
            kept = [] if job.edited else job.resumable
            resumable = any((self.root / path).exists() for path in kept)
        return decide(
            record,
            self._as_it_is_now(job),
            outputs,
            resumable=resumable,
            forced=stage.name in self.selection.forced,
        )

    def _as_it_is_now(self, job: Job) -> StageRecord:
        inputs = {str(path): self.hasher(self.root / path) for path in job.inputs}
        return StageRecord(
            config=job.settings,
            inputs={path: digest or 'missing' for path, digest in inputs.items()},
            code=code_version(job.scripts, self.hasher),
        )

    def adopt(self, names: Sequence[str], save: bool = True) -> None:
        """Take the outputs of stages that were run by hand as finished.

        Args:
            names: Stages whose outputs exist, as of
                :func:`~mmwsis.pipelines.selection.named_stages`.
            save: Note it for later runs, too. Defaults to True.

        Raises:
            ValueError: An output is missing, or there is no such stage.
        """
        names = named_stages(names, self.pipeline.stages)
        for stage in self.pipeline.stages:
            if stage.name not in names:
                continue
            job = self.factory.make(stage)
            outputs, missing = self._outputs(job)
            if missing:
                raise ValueError(
                    f'Stage {stage.name!r} cannot be adopted: {missing} do not exist.'
                )
            record = self._as_it_is_now(job)
            record.status, record.command = 'finished', job.command
            record.started = record.finished = _now()
            record.outputs = outputs
            self.manifest.stages[stage.name] = record
            self._adopted.add(stage.name)  # whatever its work directory says
            if save:
                self._save(record, job)


def noted(decision: Decision, stage: Stage) -> str:
    """Say that a stage stays as it is though source files have changed.

    Args:
        decision: On the stage.
        stage: The stage.

    Returns:
        Ends a line; empty where nothing changed.
    """
    note = decision.code_note
    return f'; {note} (--force {stage.name} runs it again)' if note else ''


def _now() -> str:
    return datetime.datetime.now().astimezone().isoformat(timespec='seconds')
