"""The slice of the demo that the jobs go on from."""

from tests.e2e.conftest import environ, played, summary

__all__ = ["environ", "played", "summary"]
