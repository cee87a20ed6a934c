"""Parameters without a conversion: typer asks pydantic to make text of text, and to import pydantic
takes longer than most commands take to run.
"""
from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple


def take_text_as_it_is(command: Any) -> None:
    """Leave to typer only what is there to be converted, in a command and in all commands of a
    group.
    """
    command.get_params = partial(_parameters, command.get_params)
    for inner in getattr(command, "commands", {}).values():
        take_text_as_it_is(inner)


def _parameters(of_command: Callable[[Any], list[Any]], context: Any) -> list[Any]:
    """The parameters of a command, `--help` among them."""
    found = of_command(context)
    for parameter in found:
        if not isinstance(parameter.get_runtime_param, partial):
            parameter.get_runtime_param = partial(_Conversion, parameter.get_runtime_param)
    return found


class _Conversion(NamedTuple):
    """How a parameter's value is converted, if nothing or ASCII text is given as it is; else by
    typer's own.
    """

    typers: Callable[[], Any]

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """What typer's own conversion gives."""
        kind, many = param.type_descriptor.annotation, param.multiple or param.nargs == -1
        if value is None:
            return () if many else None
        texts = value if kind == list[str] and isinstance(value, list | tuple) else [value] \
            if kind is str else [None]
        if all(isinstance(text, str) and text.isascii() for text in texts):
            return value
        return self.typers().coerce(value, param=param, ctx=ctx)
