"""Validation of label files against one table of rules."""

from .findings import Finding, FindingLog
from .rule import Rule, Severity
from .rules import RULES
from .validator import ValidationReport, validate_file

__all__ = [
    'RULES',
    'Finding',
    'FindingLog',
    'Rule',
    'Severity',
    'ValidationReport',
    'validate_file',
]
