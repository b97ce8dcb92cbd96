"""What the command says on the terminal: each step with its time, and a mistake as a message."""

from __future__ import annotations

from contextlib import contextmanager
from time import monotonic

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from hub.problems import Problems, Stop

console = Console(highlight=False, soft_wrap=True)


@contextmanager
def step(what: str, spinner: bool = True):
    """Say what is being done and for how long already; then how long it took, or that it was there.

    ``spinner=False`` for a step that shows a progress bar of its own.
    """
    begin = monotonic()
    outcome: dict[str, str | bool] = {}
    live = spinner and console.is_terminal
    if not live:
        console.print(f"→ {what}")
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console,
                  transient=True, disable=not live) as progress:
        progress.add_task(what)
        yield outcome
    note = outcome.get("note") or ("" if outcome.get("changed", True) else "already there")
    console.print(f"[green]✓[/] {what}{': ' + str(note) if note else ''} [dim]({monotonic() - begin:.1f} s)[/]")


@contextmanager
def told():
    """End with a message instead of a traceback."""
    try:
        yield
    except (Problems, Stop) as error:
        # No markup: the message quotes what people wrote.
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"✗ {error}", markup=False)
        raise typer.Exit(1) from None
