"""Validation of label files against one table of rules."""

from .issues import Issue, IssueLog
from .rule import Rule, Severity
from .rules import RULES
from .validator import (
    PanopticFileError,
    ValidationReport,
    validate_document,
    validate_file,
)

__all__ = [
    'RULES',
    'Issue',
    'IssueLog',
    'PanopticFileError',
    'Rule',
    'Severity',
    'ValidationReport',
    'validate_document',
    'validate_file',
]
