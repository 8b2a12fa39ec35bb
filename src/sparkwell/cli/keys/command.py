"""`sparkwell keys`: made, listed, rotated, revoked."""

import json

import click

from sparkwell.cli.client import Json, run
from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.cli.finding_text import plain
from sparkwell.cli.keys.limits import Limit
from sparkwell.cli.keys.source import all_keys, change
from sparkwell.cli.keys.text import described, keys_table
from sparkwell.cli.times import Span, Until, moment
from sparkwell.core.errors import UsageError


@click.group(short_help="Make, list, rotate and revoke the keys of clients.")
def keys() -> None:
    """Keys say who may use the models, which ones, and how much of them.

    Once there is a key, no request is served without one. docs/keys.md has the details.
    """


@keys.command(short_help="Make a key and print its secret, this once.")
@click.argument("name")
@click.option("--models", metavar="A,B", help="Only these models.  [default: all]")
@click.option(
    "--rpm", type=Limit("rpm"), metavar="N", help="Requests a minute.  [default: no limit]"
)
@click.option(
    "--tpm",
    type=Limit("tpm"),
    metavar="N",
    help="Tokens a minute, prompt and output.  [default: no limit]",
)
@click.option(
    "--concurrency",
    type=Limit("concurrency"),
    metavar="N",
    help="Requests at a time.  [default: no limit]",
)
@click.option(
    "--priority",
    type=Limit("priority"),
    default=0,
    show_default=True,
    metavar="N",
    help="-100 to 100; of requests that wait, those of a higher one are served first.",
)
@click.option(
    "--expires",
    type=Until(),
    metavar="30d|DATE",
    help="For so long, or to the end of that day.  [default: for ever]",
)
@json_option
@pass_context
def add(
    context: Context,
    name: str,
    models: str | None,
    rpm: int | None,
    tpm: int | None,
    concurrency: int | None,
    priority: int,
    expires: float | None,
    as_json: bool,
) -> None:
    """Make a key called NAME and print its secret, this once.

    The secret alone is on stdout. Clients send it as "Authorization: Bearer SECRET".
    """
    from sparkwell.admin.keys import AddKeyBody

    body = AddKeyBody(
        name=name,
        models=_named(models),
        rpm=rpm,
        tpm=tpm,
        concurrency=concurrency,
        priority=priority,
        expires_at=expires,
    )
    everybody = _serves_everybody(context)  # first: a broken settings file must cost no secret
    done = run(change(context, "add", body))
    if as_json:
        click.echo(json.dumps(done))
        return
    key = done["key"]
    click.echo(f"Key {plain(key['name'])} ({key['id']}): {described(key)}.", err=True)
    if done["living"] == 1 and not everybody:
        click.echo("Requests without a key are refused now, from this machine too.", err=True)
    _show_secret(done)


@keys.command("list", short_help="List the keys: what they are for, their limits, their last use.")
@click.option("--all", "shows_all", is_flag=True, help="Show revoked keys too.")
@json_option
@pass_context
def list_(context: Context, shows_all: bool, as_json: bool) -> None:
    """List the keys: what they are for, their limits, until when (local time) they are good.

    Of their last use the day is known, in UTC: by such days it is counted what was used.
    """
    found = run(all_keys(context))
    if as_json:
        click.echo(json.dumps(found))
        return
    shown = [key for key in found["keys"] if shows_all or key["state"] != "revoked"]
    if shown:
        click.echo(keys_table(shown))
    else:
        click.echo(_nothing(found, everybody=_serves_everybody(context)))


@keys.command()
@click.argument("key", metavar="NAME|ID")
@json_option
@pass_context
def revoke(context: Context, key: str, as_json: bool) -> None:
    """Have a key open nothing any more, at once. What it asked for before goes on to its end."""
    from sparkwell.admin.keys import RevokeKeyBody

    everybody = _serves_everybody(context)
    done = run(change(context, "revoke", RevokeKeyBody(key=key)))
    if as_json:
        click.echo(json.dumps(done))
        return
    click.echo(f"Revoked {plain(done['key']['name'])} ({done['key']['id']}).")
    if not done["left"] and not everybody:
        click.echo(
            "No key is left: no request is served. `sparkwell keys add NAME` makes a new one; "
            "`sparkwell keys reset --yes` goes back to serving this machine without one.",
            err=True,
        )


@keys.command(short_help="Give a key a new secret and print it, this once.")
@click.argument("key", metavar="NAME|ID")
@click.option(
    "--overlap",
    type=Span(),
    default=0.0,
    metavar="TIME",
    help="How long the old secret stays good: 90s, 30m, 2h, 1d.  [default: not at all]",
)
@json_option
@pass_context
def rotate(context: Context, key: str, overlap: float, as_json: bool) -> None:
    """Give a key a new secret and print it, this once; name, limits and usage go on."""
    from sparkwell.admin.keys import RotateKeyBody

    done = run(change(context, "rotate", RotateKeyBody(key=key, overlap_s=overlap)))
    if as_json:
        click.echo(json.dumps(done))
        return
    entry = done["key"]
    until = entry["former_secret_until"]
    old = f"is good until {moment(until)}" if until is not None else "is refused from now on"
    click.echo(f"Key {plain(entry['name'])} ({entry['id']}): its old secret {old}.", err=True)
    _show_secret(done)


@keys.command()
@click.option("--yes", is_flag=True, help="Do it; nothing is done without this.")
@json_option
@pass_context
def reset(context: Context, yes: bool, as_json: bool) -> None:
    """Forget all keys, and that there have been any.

    Then only this machine is served, without a key. This is also the way on where the keys are
    lost, and nobody has a copy of the store.
    """
    from sparkwell.admin.bodies import Body

    if not yes:
        raise UsageError(
            "This forgets all keys: nobody who has one gets in any more.",
            hint="`sparkwell keys reset --yes` does it.",
        )
    done = run(change(context, "reset", Body()))
    click.echo(json.dumps(done) if as_json else f"Forgot all keys ({done['forgotten']}).")


def _named(models: str | None) -> tuple[str, ...]:
    """The models of ``A,B``; raises UsageError where none is named: that would mean all."""
    if models is None:
        return ()
    names = tuple(filter(None, (name.strip() for name in models.split(","))))
    if not names:
        raise UsageError("--models names no model.", hint="Leave it out, and all are meant.")
    return names


def _show_secret(done: Json) -> None:
    click.echo("The secret is shown this once:", err=True)
    click.echo(done["secret"])


def _nothing(found: Json, *, everybody: bool) -> str:
    """Where there is no key to be shown: who is served all the same."""
    none = found["standing"] == "none"
    said = "There is no key" if none else "All keys are revoked (--all shows them)"
    if everybody:
        return f"{said}; `gateway.auth: none` in the settings serves everybody."
    served = "only this machine is served, without one" if none else "no request is served"
    return f"{said}: {served}. `sparkwell keys add NAME` makes one."


def _serves_everybody(context: Context) -> bool:
    return context.settings.gateway.auth == "none"
