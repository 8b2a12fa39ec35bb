"""`sparkwell completion`: what makes Tab work."""

import click
from click.shell_completion import get_completion_class


@click.command(short_help="Print the shell's completion script.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that completes `sparkwell` in SHELL.

    \b
    bash:  eval "$(sparkwell completion bash)"        in ~/.bashrc
    zsh:   eval "$(sparkwell completion zsh)"         in ~/.zshrc
    fish:  sparkwell completion fish | source         in ~/.config/fish/config.fish
    """  # noqa: D301 - \b is click's mark for "leave these lines alone"
    completer = get_completion_class(shell)
    if completer is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    root = ctx.find_root().command
    click.echo(completer(root, {}, "sparkwell", "_SPARKWELL_COMPLETE").source())
