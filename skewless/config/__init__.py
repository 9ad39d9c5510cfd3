"""Settings: frozen values, and the one place that reads the environment."""

from __future__ import annotations

from skewless.config.load import load_settings, prepare_process
from skewless.config.settings import Secret, Settings

__all__ = ["Secret", "Settings", "load_settings", "prepare_process"]
