"""typer's commands as kpki has them: an error is a message and a status, and openssl's verbs are
commands too.
"""
from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

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
    """Let typer hear what stops a command: the message goes to stderr here, the status is raised.
    """
    try:
        yield
    except (KpkiError, OSError) as error:
        raise typer.Exit(refused(error, status=status)) from None


class Command(TyperCommand):
    """A command: what kpki refuses is a message on stderr, and status 1 for an answer, 2 for a line
    or a file.
    """

    def invoke(self, ctx: Context) -> Any:
        with _refusing(2):
            super().invoke(ctx)
            sys.stdout.flush()


class Verb(TyperCommand):
    """One of openssl's verbs, which reads its line and writes its page by a table of its own."""

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
        """The verb's options, or the forms if the word before wants one; the shell itself names the
        files.
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
    """The module that reads the verbs' options, which the list of commands does without."""
    return import_module(".openssl.options", __package__)


class Group(TyperGroup):
    """All commands of kpki: typer's, and openssl's verbs."""

    def __init__(self, **words: Any) -> None:
        super().__init__(**words)
        for name, verb in VERBS.items():
            self.add_command(Verb(name, help=verb.does, epilog=example(verb.example),
                                  rich_markup_mode=None))

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Let `--install-completion` and `--show-completion` name a shell; without a name typer
        asks which runs.
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
        rows = [(name, command.get_short_help_str(_WIDTH)) for name,
                command in group.commands.items()
                if isinstance(command, Verb) == kind]
        if rows:
            yield heading, rows


def records(page: Context) -> Iterator[tuple[str, Rows]]:
    """What a help page lists: arguments, options and commands by heading, each with its meaning."""
    if isinstance(page.command, Verb):
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

    Raises UsageError for an unknown one.
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
