"""kpki's classes of typer's commands: errors become messages, and openssl's verbs are commands."""
from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from .openssl.verbs import VERBS, run_verb, table_of
from .refusal import refused
from ..errors import KpkiError

if TYPE_CHECKING:
    from typer._click import Context

Rows = list[tuple[str, str]]        # terms, each with its meaning
HELP = {"help_option_names": ["-h", "--help"]}
LITERAL = "\b\n"     # typer's mark of a paragraph whose lines are kept
_WIDTH = 78     # of what a command does, in a list of commands
_OPENSSL = "openssl's verbs, with openssl's options"


@contextmanager
def _refusing(status: int) -> Iterator[None]:
    """Print an error of kpki's on stderr, and raise typer.Exit with its status."""
    try:
        yield
    except (KpkiError, OSError) as error:
        raise typer.Exit(refused(error, status=status)) from None


class Command(TyperCommand):
    """A command of kpki: an error becomes a message on stderr, and exit status 1 or 2."""

    def get_params(self, ctx: Context) -> list[Any]:
        return _unconverted(super().get_params(ctx))

    def invoke(self, ctx: Context) -> Any:
        with _refusing(2):
            super().invoke(ctx)
            sys.stdout.flush()


class _Conversion(NamedTuple):
    """The conversion of a parameter's value: none for ASCII text, else typer's."""

    typers: Callable[[], Any]
    """Returns typer's conversion."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The result of typer's conversion."""
        kind, repeatable = param.type_descriptor.annotation, param.multiple or param.nargs == -1
        if value is None:
            return () if repeatable else None
        texts = [value] if kind is str else [None]
        if kind == list[str] and isinstance(value, list | tuple):
            texts = [*value]
        if all(isinstance(text, str) and text.isascii() for text in texts):
            return value
        return self.typers().coerce(value, param=param, ctx=ctx)


def _unconverted(parameters: list[Any]) -> list[Any]:
    """Parameters whose ASCII text is not converted.

    typer converts text to text by pydantic, whose import takes longer than most commands.
    """
    for parameter in parameters:
        if not isinstance(parameter.get_runtime_param, partial):
            parameter.get_runtime_param = partial(_Conversion, parameter.get_runtime_param)
    return parameters


class VerbCommand(TyperCommand):
    """One of openssl's verbs, with the options and the help page of the verb's own table."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        ctx.args = list(args)
        return ctx.args

    def invoke(self, ctx: Context) -> Any:
        with _refusing(1):
            raise typer.Exit(run_verb(self.name or "", ctx.args))

    def get_help(self, ctx: Context) -> str:
        page: str = _options().help_page(self.name, table_of(self.name or ""))
        return page

    def collect_usage_pieces(self, ctx: Context) -> list[str]:
        return [_options().usage(self.name)]

    def sections(self) -> Iterator[tuple[str, Rows]]:
        """The verb's options by heading, each with what it means."""
        yield from _options().sections(table_of(self.name or ""))

    def notes(self) -> list[str]:
        """What the verb's page says after its options."""
        notes: list[str] = _options().notes(self.name, table_of(self.name or ""))
        return notes

    def shell_complete(self, ctx: Context, incomplete: str) -> list[Any]:
        """The verb's options, or the forms (PEM, DER) after an option that has a form.

        The shell completes the names of files.
        """
        from typer._click.shell_completion import CompletionItem
        rows = {term.partition(" ")[0]: (term.partition(" ")[2], means)
                for _, section in self.sections() for term, means in section}
        takes, _ = rows.get(f"-{ctx.args[-1].lstrip('-')}", ("", "")) if ctx.args else ("", "")
        if takes:
            words = dict.fromkeys(takes.split("|"), "") if "|" in takes else {}
        elif incomplete.startswith("--"):
            words = {f"--{name.lstrip('-')}": means for name, (_, means) in rows.items()}
        else:
            words = {name: means for name, (_, means) in rows.items()} if incomplete else {}
        return [CompletionItem(word, help=means) for word, means in words.items()
                if word.startswith(incomplete)]


def _options() -> Any:
    """The module of the verbs' options, which the list of commands need not import."""
    return import_module(".openssl.options", __package__)


class Commands(TyperGroup):
    """A group of commands."""

    def get_params(self, ctx: Context) -> list[Any]:
        return _unconverted(super().get_params(ctx))


class Group(Commands):
    """All commands of kpki: typer's, and openssl's verbs."""

    def __init__(self, **words: Any) -> None:
        super().__init__(**words)
        for name, verb in VERBS.items():
            self.add_command(VerbCommand(name, help=verb.does, epilog=example(verb.example),
                                         rich_markup_mode=None))

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Parse a line; `--install-completion` and `--show-completion` accept the name of a shell.

        Without a name typer finds the shell that runs.
        """
        if len(args) == 2 and args[0] in ("--install-completion", "--show-completion"):
            from .shells import install, script
            (install if args[0].startswith("--install") else script)(args[1])
            raise typer.Exit
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: Context, formatter: Any) -> None:
        for heading, rows in commands(self):
            with formatter.section(heading):
                formatter.write_dl(rows)


def commands(group: TyperGroup) -> Iterator[tuple[str, Rows]]:
    """The commands of a group by heading, each with what it does."""
    for heading, kind in (("Commands", False), (_OPENSSL, True)):
        rows = [(name, command.get_short_help_str(_WIDTH))
                for name, command in group.commands.items()
                if isinstance(command, VerbCommand) == kind]
        if rows:
            yield heading, rows


def records(page: Context) -> Iterator[tuple[str, Rows]]:
    """The arguments, options and commands of a help page by heading, each with its meaning."""
    if isinstance(page.command, VerbCommand):
        yield from page.command.sections()
        return
    for kind in ("argument", "option"):
        rows = [record for parameter in page.command.get_params(page)
                if parameter.param_type_name == kind
                and (record := parameter.get_help_record(page))]
        if rows:
            yield f"{kind.capitalize()}s", rows
    if isinstance(page.command, TyperGroup):
        yield from commands(page.command)


def add(app: typer.Typer, command: Callable[..., None], *examples: str) -> None:
    """Give an application a command under its function's name; *examples* end its help page."""
    app.command(command.__name__, cls=Command, epilog=example(*examples))(command)


def example(*lines: str) -> str:
    """The end of a help page: command lines, which are not wrapped."""
    return LITERAL + "\n".join(["Example:", *(f"  {line}" for line in lines)])


def find(group: Context | None, words: Sequence[str]) -> Context:
    """The command that *words* name below a group, as the context of its page.

    Raises UsageError for an unknown command.
    """
    assert group is not None    # a command is always run by a group
    found = group
    for word in words:
        if not isinstance(found.command, TyperGroup):
            found.fail(f"{found.command_path} has no commands.")
        name, command, _ = found.command.resolve_command(found, [word])
        assert command is not None  # resolve_command has refused an unknown name
        found = typer.Context(command, info_name=name, parent=found, **command.context_settings)
    return found
