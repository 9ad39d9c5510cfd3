"""`skewless`: the commands, and how the process ends."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import typer

from skewless.cli import definitions, dev, explaining, keeping, pages, pipeline, reading, rights, training, trying
from skewless.cli.desk import INTERRUPTED, add_command, manual
from skewless.cli.options import Choices, Conf, Debug, Env, Json
from skewless.cli.output import Output

_USAGE = 2
_ABOUT = """A feature store that proves its contract: training and serving get the same value.

Definitions are applied, views run, services read:

    skewless plan; skewless apply
    skewless run
    skewless get churn_v1 household_id=1
    skewless status

Exit codes:

     0  ok                               11  nothing to do
     1  a defect                         12  somebody else holds the lease
     2  usage, settings or definitions   13  a source has not arrived yet
     3  plan found changes               14  the contract is broken
    10  refused by validation            75  try again later
"""

COMMANDS: tuple[Callable[..., None], ...] = (
    definitions.plan,
    definitions.apply,
    definitions.list_,
    definitions.show,
    pipeline.land,
    pipeline.run,
    pipeline.materialize,
    pipeline.validate,
    pipeline.push,
    pipeline.publish,
    pipeline.backfill,
    pipeline.rollback,
    pipeline.revert,
    pipeline.optimize,
    training.train,
    keeping.rebuild,
    reading.leaks,
    trying.windows,
    reading.get,
    explaining.explain,
    reading.parity,
    pages.report,
    pages.status,
    keeping.vacuum,
    rights.roles,
)


def _bare(about: str) -> typer.Typer:
    """An application whose help is plain text: it costs nothing to print."""
    return typer.Typer(help=manual(about), rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)


def build_app() -> typer.Typer:
    """All commands as one application."""
    app = _bare("")

    @app.callback(
        invoke_without_command=True,
        help=manual(_ABOUT),
    )
    def before(
        ctx: typer.Context, conf: Conf = None, env: Env = None, json: Json = False, debug: Debug = False
    ) -> None:
        ctx.obj = Choices(conf, env, json, debug).over(ctx.obj)
        if ctx.invoked_subcommand is None:
            typer.echo(ctx.get_help())

    for function in COMMANDS:
        add_command(app, function)
    development = _bare("The local surroundings of the demo and the tests.")
    cassandra = _bare(dev.ABOUT)
    for function in (dev.start, dev.stop, dev.status):
        add_command(cassandra, function)
    development.add_typer(cassandra, name="cassandra")
    app.add_typer(development, name="dev")
    return app


def execute(app: typer.Typer, arguments: Sequence[str], *, name: str, owns_process: bool = False) -> int:
    """Run one command line; returns its exit code."""
    before = Choices(owns_process=owns_process)
    command = typer.main.get_command(app)
    try:
        code = command.main(args=list(arguments), prog_name=name, standalone_mode=False, obj=before)
    except typer.Abort:
        return INTERRUPTED
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        # typer's own errors: a wrong option, a missing argument
        output = Output(as_json="--json" in arguments)
        output.fail("UsageError", f"{error.format_message().rstrip('.')}. See `{_help_of(error, name)}`.", _USAGE)
        return _USAGE
    return code if isinstance(code, int) else 0


def run_alone(function: Callable[..., None], *, about: str, name: str, arguments: Sequence[str] | None = None) -> int:
    """Run one command as a program of its own: a job.

    Args:
        function: The command.
        about: The job's manual.
        name: How the job is called.
        arguments: Its command line; that of the process when None.
    """
    app = _bare(about)
    add_command(app, function, about=about)
    given = sys.argv[1:] if arguments is None else arguments
    return execute(app, given, name=name, owns_process=arguments is None)


def main() -> None:
    """The console script."""
    sys.exit(execute(build_app(), sys.argv[1:], name="skewless", owns_process=True))


def _help_of(error: Exception, name: str) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path if context is not None else name} --help"


if __name__ == "__main__":
    main()
