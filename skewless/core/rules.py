"""Quality rules as values: what must hold, how bad it is when it does not, and which rows are looked at.

`gxe` records Great Expectations' own expectations under their own names without importing that library (it takes
seconds and 200 MB): `gxe.ExpectColumnValuesToBeBetween(column="spend_7d", min_value=0, severity="critical")`.
The gate builds the real expectation from the record; an unknown name or argument is refused by `plan`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from skewless.errors import DefinitionError


class Severity(str, Enum):
    """What a failed rule does: `critical` refuses the generation, `warning` marks it, `info` is only reported."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class Scope(str, Enum):
    """The rows that a rule looks at.

    `changed`: the rows of the generation. `current`: the state of every entity as it would be served.
    """

    CHANGED = "changed"
    CURRENT = "current"


@dataclass(frozen=True, slots=True)
class Rule:
    """One expectation of Great Expectations, by name and arguments.

    Attributes:
        expectation: The class name, such as `ExpectColumnValuesToBeBetween`.
        arguments: Its arguments, sorted by name.
        severity: What a failure does.
        scope: The rows that it looks at; None takes `current` for counts and distributions, else `changed`.
    """

    expectation: str
    arguments: tuple[tuple[str, object], ...]
    severity: Severity = Severity.CRITICAL
    scope: Scope | None = None

    @property
    def column(self) -> str | None:
        """The column that it judges, when it judges one."""
        found = dict(self.arguments).get("column")
        return str(found) if found is not None else None

    @property
    def title(self) -> str:
        """`ExpectColumnValuesToBeBetween(column='spend_7d', min_value=0)`."""
        return f"{self.expectation}({', '.join(f'{name}={value!r}' for name, value in self.arguments)})"

    @property
    def effective_scope(self) -> Scope:
        """The declared scope, or the default of its kind: table-wide rules judge what would be served."""
        if self.scope is not None:
            return self.scope
        is_table_wide = self.expectation.startswith("ExpectTable") or "Distinct" in self.expectation
        aggregates = ("Mean", "Median", "Sum", "Stdev", "Quantile", "ProportionOf", "KLDivergence", "UniqueValueCount")
        return Scope.CURRENT if is_table_wide or any(word in self.expectation for word in aggregates) else Scope.CHANGED


class ExpectationRecorder:
    """Records `gxe.ExpectX(...)` as a `Rule`; stands in for `great_expectations.expectations` in definitions."""

    def __getattr__(self, expectation: str) -> Callable[..., Rule]:
        """Return a function that records one expectation of the given class name."""
        if not expectation.startswith("Expect"):
            raise AttributeError(expectation)

        def record(*, severity: str = "critical", scope: str | None = None, **arguments: object) -> Rule:
            try:
                chosen = Severity(severity)
                rows = Scope(scope) if scope is not None else None
            except ValueError as unknown:
                message = f"{expectation}: {unknown}. Severity is critical, warning or info; scope changed or current."
                raise DefinitionError(message) from None
            return Rule(expectation, tuple(sorted(arguments.items())), chosen, rows)

        return record


gxe = ExpectationRecorder()
