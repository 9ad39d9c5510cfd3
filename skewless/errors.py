"""The error family: what went wrong, why, and what to do.

    SkewlessError                    1   a defect, unless a child says otherwise
    ├── ConfigError                  2   conf/, environment names, secrets
    ├── UsageError                   2   arguments, spines, times
    ├── DefinitionError              2   feature_defs/ that cannot be what they say
    │   └── DefinitionConflict       2   a definition that contradicts an applied one
    ├── ChangesPending               3   `plan` found something to apply
    ├── RefusedByValidation         10   the gate said no; nothing became visible
    ├── NothingToDo                 11   everything is up to date
    ├── LeaseHeld                   12   somebody else is running
    ├── UpstreamNotReady            13   a source has not arrived yet
    ├── ContractBroken              14   parity, rebuild or fingerprint mismatch
    └── TryAgainLater               75   a store does not answer
        └── StoreUnreachable        75

Every message reads as one line: what, why, what to do. A command prints it and leaves with the exit code; a stack is
shown for defects only.
"""

from __future__ import annotations

from typing import ClassVar


class SkewlessError(Exception):
    """Base of every error that this package raises on purpose."""

    exit_code: ClassVar[int] = 1


class ConfigError(SkewlessError):
    """A setting, an environment name or a secret is wrong or missing."""

    exit_code = 2


class UsageError(SkewlessError):
    """A command or call was given something that it cannot work with."""

    exit_code = 2


class DefinitionError(SkewlessError):
    """A definition cannot be what it says it is."""

    exit_code = 2


class DefinitionConflict(DefinitionError):
    """A definition contradicts one that was applied under the same name and version."""


class ChangesPending(SkewlessError):
    """The definitions differ from the registry."""

    exit_code = 3


class RefusedByValidation(SkewlessError):
    """The gate refused a generation; readers still see the one before it."""

    exit_code = 10


class NothingToDo(SkewlessError):
    """Everything that was asked for is already so."""

    exit_code = 11


class LeaseHeld(SkewlessError):
    """Another process holds the lease that this work needs."""

    exit_code = 12


class UpstreamNotReady(SkewlessError):
    """A source has not arrived far enough for the ticks asked for."""

    exit_code = 13


class ContractBroken(SkewlessError):
    """Two answers that must be equal are not."""

    exit_code = 14


class TryAgainLater(SkewlessError):
    """The work is sound, the surroundings are not ready."""

    exit_code = 75


class StoreUnreachable(TryAgainLater):
    """A store did not answer."""
