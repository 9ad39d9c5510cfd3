"""The gate's stored verdict as rows of a page; its JSON is all that is known of it here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skewless.site.model import CheckRow


def check_rows(verdict: Mapping[str, Any]) -> tuple[CheckRow, ...]:
    """Rows of the gate's stored verdict (its JSON): failures first, as they are what a reader came for."""
    rows = [_check_row(result) for result in verdict.get("results", ())]
    order = ("failed", "accepted", "idle", "passed")
    return tuple(sorted(rows, key=lambda row: order.index(row.state)))


def _check_row(result: Mapping[str, Any]) -> CheckRow:
    return CheckRow(
        name=result["name"],
        expected=result.get("expected") or result["name"],
        state=_check_state(result),
        severity=result.get("severity", "critical"),
        scope=result.get("scope") or "",
        title=result.get("title", ""),
        seen=_seen(result),
        samples=tuple(result.get("samples", ())),
        error=result.get("error") or "",
        accepted_because=result.get("accepted_because") or "",
    )


def _check_state(result: Mapping[str, Any]) -> str:
    if not result.get("judged", True):
        return "idle"
    if result["passed"]:
        return "passed"
    return "accepted" if result.get("accepted_because") else "failed"


def _seen(result: Mapping[str, Any]) -> str:
    count, share, observed = (result.get(name) for name in ("unexpected_count", "unexpected_share", "observed"))
    if count:
        return f"{count:,} rows break it" + (f" ({share:.2%})" if share is not None else "")
    if observed is not None:
        return str(observed)
    return "as expected" if result["passed"] else ""
