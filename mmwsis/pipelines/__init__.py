"""Pipelines: the stages of a method, run in order by one command."""

from mmwsis.compat import register_config_prefix

from .definition import Pipeline, load_pipeline
from .jobs import JobFactory
from .launch import Launch
from .runner import PipelineRunner, StageFailedError, StageOutcome
from .selection import Selection

__all__ = [
    'JobFactory',
    'Launch',
    'Pipeline',
    'PipelineRunner',
    'Selection',
    'StageFailedError',
    'StageOutcome',
    'load_pipeline',
]

register_config_prefix()
