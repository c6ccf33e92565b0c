"""The rules of the label file: one table for the loaders, preflight and the validator.

A rule has one name, one severity and one statement; the checks in this package refer to
it by name. Which of the rules hold where:

- the loaders (:mod:`mmwsis.formats.checks`) stop at the first error;
- preflight (:mod:`mmwsis.engine.preflight`) collects the errors before training;
- ``tools/analysis_tools/check_dataset.py`` collects everything.

Rules that are not ``cheap`` need masks or image files and run in the last only.
"""

from .annotation_rules import ANNOTATION_RULES, MASK_RULES
from .image_rules import CATEGORY_RULES, CONFIG_RULES, FILE_RULES, IMAGE_RULES
from .rule import Rule

RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        *CATEGORY_RULES,
        *IMAGE_RULES,
        *FILE_RULES,
        *ANNOTATION_RULES,
        *MASK_RULES,
        *CONFIG_RULES,
    )
}
