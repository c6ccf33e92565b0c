"""Issues: what was found, where, how often."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mmwsis.structures.supervision import annotation_place

from .rule import Rule, Severity
from .rules import RULES


@dataclass(frozen=True)
class Issue:
    """One break of a rule.

    Attributes:
        rule: Name of the rule.
        message: What was expected and what is there, without the place and the
            advice of the rule.
        image_id: Image that it concerns, or None.
        annotation_id: Annotation that it concerns, or None.
        place: Where it is, as messages say it; empty: the file as a whole.
    """

    rule: str
    message: str
    image_id: Any = None
    annotation_id: Any = None
    place: str = ''

    def __str__(self) -> str:
        return f'{self.place}: {self.message}' if self.place else self.message


def annotation_issue(rule: str, annotation: Mapping[str, Any], message: str) -> Issue:
    """An issue of one annotation.

    Args:
        rule: Name of the rule.
        annotation: Entry of the file, of which the ids are read.
        message: As in :class:`Issue`.
    """
    place = annotation_place('', annotation).removeprefix(': ')
    ids = annotation.get('image_id'), annotation.get('id')
    return Issue(rule, message, *ids, place)


class IssueLog:
    """Counts issues by rule and keeps the first examples of each.

    Args:
        max_examples: Examples kept per rule, >= 1, so that a file with a million
            issues needs no memory for them.
    """

    def __init__(self, max_examples: int = 5) -> None:
        self.max_examples = max_examples
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, list[Issue]] = {}
        self.first_error: Issue | None = None

    def add(self, rule: str, message: str, **where: Any) -> None:
        """Count one issue.

        Args:
            rule: Name of the rule.
            message: As in :class:`Issue`.
            **where: Its other attributes.
        """
        self.add_many(rule, 1, lambda _: Issue(rule, message, **where))

    def add_image(self, rule: str, image_id: Any, message: str) -> None:
        """Count one issue of an image.

        Args:
            rule: Name of the rule.
            image_id: The image.
            message: As in :class:`Issue`.
        """
        self.add(rule, message, image_id=image_id, place=f'image id {image_id!r}')

    def add_annotation(
        self, rule: str, annotation: Mapping[str, Any], message: str
    ) -> None:
        """Count one issue of an annotation.

        Args:
            rule: Name of the rule.
            annotation: Entry of the file.
            message: As in :class:`Issue`.
        """
        self.add_many(rule, 1, lambda _: annotation_issue(rule, annotation, message))

    def add_many(self, rule: str, count: int, describe: Callable[[int], Issue]) -> None:
        """Count issues, and describe only those that are kept.

        Args:
            rule: Name of the rule.
            count: How many there are.
            describe: The issue of an index below ``count``.
        """
        if not count:
            return
        self.counts[rule] += int(count)
        kept = self.examples.setdefault(rule, [])
        for index in range(min(count, self.max_examples - len(kept))):
            kept.append(describe(index))
        if self.first_error is None and RULES[rule].severity is Severity.ERROR:
            self.first_error = kept[0]

    def discard(self, rules: Iterable[str]) -> None:
        """Forget the issues of some rules."""
        for rule in rules:
            self.counts.pop(rule, None)
            self.examples.pop(rule, None)
        if self.first_error is not None and self.first_error.rule not in self.counts:
            worst = next(iter(self.rules()), None)
            is_error = worst is not None and worst.severity is Severity.ERROR
            self.first_error = self.examples[worst.name][0] if is_error else None

    def rules(self) -> list[Rule]:
        """Rules that were broken, worst first, then as in the table."""
        order = list(RULES)
        found = [RULES[name] for name in self.counts]
        return sorted(found, key=lambda rule: (-rule.severity, order.index(rule.name)))

    def count_of(self, severity: Severity) -> int:
        """Number of issues of a severity."""
        return sum(
            count
            for name, count in self.counts.items()
            if RULES[name].severity is severity
        )

    def raise_first(self, source: str) -> None:
        """Raise the first error, if there is one.

        Args:
            source: Name of the file.

        Raises:
            ValueError: Names the file, the image id and the annotation id, and says
                what to do.
        """
        error = self.first_error
        if error is not None:
            raise ValueError(f'{source}: {error} {RULES[error.rule].advice}')
