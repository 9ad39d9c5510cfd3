"""Static pages about quality: one folder that opens from `file://`, asks for nothing and runs no script."""

from skewless.site.build import build_report
from skewless.site.checks import check_rows
from skewless.site.model import (
    CheckRow,
    FeatureRow,
    GenerationRow,
    Histogram,
    Parity,
    ReportModel,
    RevisionRow,
    ViewReport,
)

__all__ = [
    "CheckRow",
    "FeatureRow",
    "GenerationRow",
    "Histogram",
    "Parity",
    "ReportModel",
    "RevisionRow",
    "ViewReport",
    "build_report",
    "check_rows",
]
