"""The desk that a command works at: its options, its output, and the store, opened when it is first asked for."""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_type_hints

import typer

from skewless.cli.options import Choices, Conf, Debug, Env, Json, conf_folder
from skewless.cli.output import Output, Part
from skewless.errors import SkewlessError

if TYPE_CHECKING:
    from skewless.config.settings import Settings
    from skewless.flows.workshop import Workshop
    from skewless.store import FeatureStore

INTERRUPTED = 130
_PIPE_CLOSED = 141
_DEFECT = 1
_SHARED: dict[str, Any] = {"conf": Conf, "env": Env, "json": Json, "debug": Debug}


@dataclass
class Desk:
    """What a command has.

    Attributes:
        choices: The options that every command has.
        output: Where it speaks.
    """

    choices: Choices
    output: Output = field(default_factory=Output)

    @cached_property
    def settings(self) -> Settings:
        """The environment.

        Raises:
            ConfigError: A setting, the environment's name or a secret is wrong or missing.
        """
        from skewless.config import load_settings

        settings = load_settings(conf_folder(self.choices.conf), self.choices.env)
        self.output.is_mute = settings.spark.submitted and self.choices.as_json
        if self.choices.owns_process and not self.choices.debug:
            from skewless.cli.engines import keep_engines_quiet

            # inside spark-submit the JVM came first, and our descriptors are its pipe
            keep_engines_quiet(settings.state / "logs" / "engines.log", is_submitted=settings.spark.submitted)
        return settings

    @cached_property
    def store(self) -> FeatureStore:
        """The store; Spark and the online store start when a flow needs them."""
        from skewless.store import FeatureStore

        settings = self.settings
        return FeatureStore.open(settings.conf, env=settings.env, say=self.output.say)

    @property
    def shop(self) -> Workshop:
        """What flows work with."""
        return self.store.workshop

    def show(self, payload: Any, parts: Iterable[Part]) -> None:
        """Print a result: the payload for machines, or the parts for people."""
        self.output.show(payload, parts)

    def checked(self, views: Iterable[str] | None) -> tuple[str, ...]:
        """Names of views, known to exist before a clock moves or Spark starts.

        Raises:
            UsageError: There is no view of that name.
        """
        names = tuple(views or ())
        self.shop.chosen_views(names)
        return names

    def close(self) -> None:
        """Close what was opened."""
        self.output.quieten()
        if "store" in self.__dict__:
            self.store.close()


def add_command(app: typer.Typer, function: Callable[..., None], *, name: str = "", about: str | None = None) -> None:
    """Register a function of a desk as a command, with the options that every command has.

    Args:
        app: Where.
        function: Takes a `Desk`, then typer's parameters.
        name: The command; the function's own name when empty.
        about: Its manual; the function's docstring when None.
    """
    command = name or function.__name__.rstrip("_")
    app.command(command, help=manual(about or function.__doc__ or ""))(_at_a_desk(function))


def manual(text: str) -> str:
    """A docstring as help: indented paragraphs are examples and keep their lines."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(f"\b\n{one}" if one.startswith("    ") else one for one in paragraphs)


@contextmanager
def ending(desk: Desk) -> Iterator[None]:
    """Turn what a command raises into one line and an exit code.

    Raises:
        typer.Exit: The command did not end well.
    """
    try:
        yield
    except typer.Exit:
        raise
    except SkewlessError as error:
        desk.output.refuse(error)
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt as error:
        desk.output.fail("Interrupted", "Interrupted. What was begun is settled by the next run.", INTERRUPTED)
        raise typer.Exit(INTERRUPTED) from error
    except BrokenPipeError as error:
        # the flush at exit would fail once more, and loudly
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - lives as long as the process
        raise typer.Exit(_PIPE_CLOSED) from error
    except Exception as error:
        desk.output.fail(type(error).__name__, _defect(error, desk.choices.debug), _DEFECT)
        raise typer.Exit(_DEFECT) from error
    finally:
        desk.close()


def _defect(error: Exception, debug: bool) -> str:
    if debug:
        traceback.print_exception(error, file=sys.stderr)
    first = next((line for line in str(error).splitlines() if line.strip()), "no message")[:300]
    hint = "The stack stands above." if debug else "Run it again with --debug to see the stack."
    return f"This is a defect: {type(error).__name__}: {first.rstrip('.')}. {hint}"


def _at_a_desk(function: Callable[..., None]) -> Callable[..., None]:
    """The function as typer wants it: its own parameters and the shared ones in the signature."""

    def command(ctx: typer.Context, **given: Any) -> None:
        own = {name: given.pop(name) for name in list(given) if name not in _SHARED}
        after = Choices(given["conf"], given["env"], given["json"], given["debug"])
        choices = after.over(ctx.obj)
        desk = Desk(choices, Output(as_json=choices.as_json))
        with ending(desk):
            function(desk, **own)

    hints = get_type_hints(function, include_extras=True)
    parameters = [
        one.replace(annotation=hints[one.name]) for one in list(inspect.signature(function).parameters.values())[1:]
    ]
    context = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    signature = inspect.Signature([context, *(one.replace(kind=context.kind) for one in parameters), *_shared()])
    command.__signature__ = signature  # type: ignore[attr-defined] # functions may carry one; typer reads it
    command.__annotations__ = {one.name: one.annotation for one in signature.parameters.values()}
    command.__name__ = function.__name__
    return command


def _shared() -> list[inspect.Parameter]:
    empty = {"conf": None, "env": None, "json": False, "debug": False}
    return [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=empty[name], annotation=annotation)
        for name, annotation in _SHARED.items()
    ]
