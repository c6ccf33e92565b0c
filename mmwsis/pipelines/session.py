"""One call for ``tools/run_pipeline.py``: plan, run, sum up."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .corrections import CorrectionOptions
from .definition import load_pipeline
from .jobs import JobFactory
from .launch import Launch, shown
from .locate import find_config, working_in
from .rounds import round_heading, unused_rounds
from .runner import PipelineRunner, StageFailedError, noted
from .selection import Selection
from .stages import ReportStage


@dataclass
class PipelineOptions:
    """What a user asks for on the command line.

    Attributes:
        config: Pipeline file, or ``'mmwsis::exits/pipeline_synthetic.py'``.
        fast: Apply the file's ``fast`` overrides.
        dataset: Dataset file to run the pipeline on instead of its own.
        data: Which of the pipeline's own datasets; by default its first.
        launch: How parallel stages are started.
        selection: Which stages to run.
        work_dir: Directory of logs, manifest and report instead of the file's.
        root: Directory that relative paths (``data/``, ``work_dirs/``) start from.
        train_args: Further arguments of ``tools/train.py``.
        adopt: Stages run by hand whose outputs are taken as finished first.
        seed: Random seed of every training. Defaults to the configs' own.
        rounds: Number of rounds of stages that are repeated. Defaults to the file's.
        baseline_seeds: Number of runs of the fully-supervised baseline, which differ in
            their seed. Defaults to the file's.
        correct: How pseudo labels are corrected by people. Defaults to None, not.
    """

    config: str
    fast: bool = False
    dataset: str | None = None
    data: str | None = None
    launch: Launch = field(default_factory=Launch)
    selection: Selection = field(default_factory=Selection)
    work_dir: str | None = None
    root: str | None = None
    train_args: tuple[str, ...] = ()
    adopt: tuple[str, ...] = ()
    seed: int | None = None
    rounds: int | None = None
    baseline_seeds: int | None = None
    correct: CorrectionOptions | None = None


def make_runner(
    options: PipelineOptions, say: Callable[[str], None] = print
) -> PipelineRunner:
    """Set a runner up from the user's options.

    Args:
        options: The options.
        say: Receives the lines for the console. Defaults to ``print``.

    Returns:
        The runner.

    Raises:
        FileNotFoundError: The pipeline file or the dataset config does not exist.
        ValueError: Something in either is wrong.
    """
    here = Path.cwd()
    dataset = spec = None
    if options.dataset is not None:
        from mmwsis.engine.data_spec import load_data_spec

        dataset = Path(options.dataset).resolve()
        with working_in(Path(options.root or here)):  # where its data_root starts
            spec = load_data_spec(dataset)
    file = find_config(options.config, here)
    pipeline = load_pipeline(
        *(file, spec, options.fast, options.data),
        rounds=options.rounds,
        baseline_seeds=options.baseline_seeds,
        correct=options.correct,
        work_dir=options.work_dir and os.path.abspath(options.work_dir),
    )
    # A root of the file's own is for data that the pipeline makes itself.
    own_root = pipeline.root if dataset is None else None
    root = Path(options.root or own_root or here).resolve()
    root.mkdir(parents=True, exist_ok=True)
    factory = JobFactory(
        *(pipeline, root, options.launch, dataset, options.train_args, options.seed)
    )
    return PipelineRunner(
        factory, selection=options.selection, say=say, write_report=_write_report
    )


def _write_report(runner: PipelineRunner, stage: ReportStage) -> None:
    # Imported when it is needed: figures bring MMDetection with them.
    from .report import write_report

    write_report(runner, stage)


def run_pipeline(
    options: PipelineOptions, say: Callable[[str], None] = print
) -> PipelineRunner:
    """Run a pipeline and print its summary.

    Args:
        options: The options.
        say: Receives the lines for the console. Defaults to ``print``.

    Returns:
        The runner, with its outcomes.

    Raises:
        StageFailedError: A stage failed.
    """
    runner = make_runner(options, say)
    if options.adopt:
        runner.adopt(options.adopt)
    say(f'{runner.pipeline.title}: {len(runner.names)} stages in {runner.root}')
    for text in unused_rounds(runner.pipeline.stages, runner.manifest.stages):
        say(text)
    runner.run()
    from .report import console_table

    say('')
    say(console_table(runner))
    report = runner.work_dir / 'report.md'
    if report.is_file():
        say(f'\nReport: {report}; to send around: {report.with_suffix(".html")}')
    if runner.waiting is not None:
        say(f'\n{runner.waiting}')
    return runner


def print_plan(
    options: PipelineOptions, commands: bool, say: Callable[[str], None] = print
) -> None:
    """Print what a run would do.

    Args:
        options: The options.
        commands: Print the commands too.
        say: Receives the lines. Defaults to ``print``.

    Raises:
        StageFailedError: A check found what would stop a stage.
    """
    runner = make_runner(options, say)
    if options.adopt:
        runner.adopt(options.adopt, save=False)
    if commands:
        say(f'In {runner.root}:')
    planned, _ = runner.plan_what_can_be()
    place = None
    for number, (stage, job, decision) in enumerate(planned, start=1):
        if stage.round and (place is None or stage.round.name != place.name):
            records = runner.manifest.stages
            heading = round_heading(stage.round, runner.pipeline.stages, records)
            say(f'     {heading}')
        place = stage.round
        what = {'skip': 'unchanged', 'resume': 'would resume', 'run': 'would run'}
        text = decision.why if decision.action == 'skip' and decision.why else ''
        text = text or what[decision.action]
        if decision.action != 'skip':
            text += f', because {decision.why}'
        text += noted(decision, stage)
        indent = '  ' if place else ''
        say(f'{number:3d}. {indent}{stage.name} ({stage.kind}): {text}')
        if commands and job.command:
            say(f'     {indent}$ {shown(job.command)}')
    for text in unused_rounds(runner.pipeline.stages, runner.manifest.stages):
        say(text)
    check = runner.check()
    for text in check.warnings:
        say(f'warning: {text}')
    if not check.errors:
        say('Checked for all stages: nothing stands in the way.')
        return
    raise StageFailedError(check.message())
