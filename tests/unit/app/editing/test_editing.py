"""Recipe editing as the dashboard uses it: form, preview, save, over a settings file."""

import asyncio
import errno
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.catalog.overlays import overlay

from sparkwell.app.composing.making import Composing
from sparkwell.app.composing.wish import ComposeWish
from sparkwell.app.daemon import back_ends
from sparkwell.app.editing.editing import Editing
from sparkwell.app.editing.file import MISSING
from sparkwell.app.guides.check import claims_of
from sparkwell.app.launching.ways import Way, Ways
from sparkwell.app.paths import find_paths
from sparkwell.app.planning.own_plans import as_started
from sparkwell.app.planning.planning import Wish
from sparkwell.app.service import ModelService
from sparkwell.app.settings.config import Settings, load_settings
from sparkwell.catalog import load_catalog
from sparkwell.catalog.tuned_files import write_tuned
from sparkwell.core.errors import (
    ConflictError,
    DocumentError,
    EnvironmentFault,
    UnknownModelError,
    UsageError,
)
from sparkwell.core.units import GIB
from sparkwell.drivers.environments import Installed
from sparkwell.hardware.description import find_machine
from sparkwell.planner.plan import make_plan
from sparkwell.planner.report import contract
from sparkwell.web.recipes import read_edit
from sparkwell.web.services import Field, RecipeEdit, RecipeForm

CATALOG = load_catalog()
NAME, DEMO = "qwen3-8b-fp8", "demo-qwen3"
WRITTEN = f"""\
# this host
gateway:
  port: 8001  # ü
models:
  # the small one
  {NAME}:
    flags:
      max_num_seqs: 8  # few
      hf_overrides: '{{}}'
    pinned: true
"""


def way(device: str = "cuda", version: str = "0.25.0") -> Way:
    return Way(version, device, environment=Installed("e", "vllm", device, version, "/e", "/p", ""))


class Bench:
    """An Editing over a file, and what it told the daemon."""

    def __init__(self, folder: Path, hardware: str, runs: bool, **settings: Any) -> None:
        self.file = folder / "sparkwell.yaml"
        self.models = ModelService(
            find_paths({"SPARKWELL_HOME": str(folder / "home")}),
            Settings.model_validate(settings),
            CATALOG,
            {"HOME": str(folder)},
        )
        self.models.planning.__dict__["here"] = find_machine(hardware)
        self.adopted: list[Settings] = []
        self.editing = Editing(
            self.models, self.file, adopt=self.adopted.append, runs=lambda _model: runs
        )

    def write(self, text: str = WRITTEN) -> "Bench":
        self.file.write_text(text, encoding="utf-8")
        return self

    async def form(self, model: str = NAME) -> RecipeForm:
        return await self.editing.recipe(model)

    async def edit(self, model: str = NAME, **more: Any) -> RecipeEdit:
        """As a browser would send it: the form's own values, and some that were typed."""
        form = await self.form(model)
        limits = {**values(form.limits), **more.get("limits", {})}
        flags = {**values(form.flags), **more.get("flags", {})}
        return RecipeEdit(more.get("profile", form.profile), flags, limits, form.revision)


Make = Callable[..., Bench]


def values(fields: tuple[Field, ...]) -> dict[str, str]:
    return {each.name: each.value for each in fields}


def field(form: RecipeForm, name: str) -> Field:
    return next(each for each in (*form.flags, *form.limits) if each.name == name)


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.setattr(Ways, "way", lambda *_of_what: way())
    monkeypatch.setattr(back_ends, "host_total_bytes", lambda: 126 * GIB)

    def made(hardware: str = "dgx-spark", runs: bool = False, **settings: Any) -> Bench:
        return Bench(tmp_path, hardware, runs, **settings)

    return made


# ── the form ────────────────────────────────────────────────────────────────────────────────


async def test_the_form_shows_the_file_and_whose_value_it_is(make: Make) -> None:
    form = await make().write().form()
    seqs, context, eager = (
        field(form, n) for n in ("max_num_seqs", "max_model_len", "enforce_eager")
    )
    assert (seqs.value, seqs.source, seqs.default) == ("8", "sparkwell.yaml", "128")
    assert (context.value, context.source, context.default) == ("", "profile", "32768")
    assert (eager.value, eager.source, eager.default) == ("", "vLLM", "off")
    assert field(form, "pinned").value == "true"
    assert field(form, "priority").value == ""
    assert (form.profile, form.file) == ("", str(make().file))
    assert "hf_overrides" not in values(form.flags)
    assert form.flags[0].name == "max_model_len"


async def test_a_default_is_what_a_start_would_take(make: Make) -> None:
    bench = make().write()
    form = await bench.form()
    bench.write(WRITTEN.replace("      max_num_seqs: 8  # few\n", ""))
    again = await bench.form()
    assert field(form, "max_num_seqs").default == field(again, "max_num_seqs").default


async def test_on_a_cpu_the_recipe_holds_and_few_profiles_are(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ways, "way", lambda *_of_what: way("cpu", "0.32.0"))
    form = await make().form(DEMO)
    assert form.profiles == ("balanced",)
    assert form.revision == MISSING
    for name, value in CATALOG.get(DEMO).serve.flags.items():
        shown = field(form, name)
        assert (shown.default, shown.source) == (str(value).lower(), "recipe")
    problems = (await make().editing.preview(DEMO, RecipeEdit("latency", {}, {}, MISSING))).problems
    assert problems["profile"].startswith("profile takes one of balanced, not 'latency'.")


@pytest.mark.parametrize("device", ["cpu", "cuda"])
async def test_a_method_of_quantization_that_vllm_does_not_know_is_not_saved(
    make: Make, monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    """vLLM would take the word, and end at its start."""
    monkeypatch.setattr(Ways, "way", lambda *_of_what: way(device, "0.32.0"))
    bench = make()
    wrong = await bench.edit(DEMO, flags={"quantization": "abc"})
    problem = (await bench.editing.save(DEMO, wrong)).problems["quantization"]
    assert problem.startswith("quantization takes one of auto_awq, auto_gptq, ")
    assert "not 'abc'. Correct it" in problem
    assert not bench.file.exists()


async def test_what_the_file_says_is_never_lost_in_a_list(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ways, "way", lambda *_of_what: way("cpu", "0.32.0"))
    bench = make().write(
        f"models:\n  {DEMO}: {{profile: latency, flags: {{kv_cache_dtype: fp7}}}}\n"
    )
    form = await bench.form(DEMO)
    dtype = field(form, "kv_cache_dtype")
    assert (dtype.value, dtype.choices[-1]) == ("fp7", "fp7")
    assert form.profiles == ("balanced", "latency")
    preview = await bench.editing.preview(DEMO, await bench.edit(DEMO))
    assert list(preview.problems) == ["profile"]
    mended = await bench.edit(DEMO, profile="", flags={"kv_cache_dtype": ""})
    assert not (await bench.editing.save(DEMO, mended)).problems
    assert bench.file.read_text() == ""


async def test_only_models_with_a_guide_have_its_profile(make: Make) -> None:
    bench = make()
    assert "guide" in (await bench.form()).profiles
    assert "guide" not in (await bench.form(DEMO)).profiles


async def test_profiles_that_were_tuned_here_can_be_chosen(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ways, "way", lambda *_of_what: way("cpu", "0.32.0"))
    bench = make("cpu")
    size, flags = bench.models.planning.here.total_bytes, {"seed": 5}
    for goal, version in (("latency", "0.32.0"), ("throughput", "0.31.0")):
        made = overlay(
            recipe=DEMO, goal=goal, machine="cpu", total_bytes=size, version=version, flags=flags
        )
        write_tuned(bench.models.paths.tuned, made)
    assert (await bench.form(DEMO)).profiles == ("balanced", "tuned-latency")
    other = await bench.editing.save(DEMO, await bench.edit(DEMO, profile="tuned-throughput"))
    assert list(other.problems) == ["profile"]
    saved = await bench.editing.save(DEMO, await bench.edit(DEMO, profile="tuned-latency"))
    assert not saved.problems
    assert bench.file.read_text() == f"models:\n  {DEMO}:\n    profile: tuned-latency\n"
    seed = field(await bench.form(DEMO), "seed")
    assert (seed.value, seed.default, seed.source) == ("", "5", "profile")


@pytest.mark.parametrize("device", ["cpu", "cuda"])
async def test_a_tuned_profile_that_is_there_no_more_can_be_mended(
    make: Make, monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    monkeypatch.setattr(Ways, "way", lambda *_of_what: way(device, "0.32.0"))
    bench = make().write(f"models: {{{DEMO}: {{profile: tuned-latency}}}}\n")
    form = await bench.form(DEMO)
    assert form.profiles[-1] == form.profile == "tuned-latency"
    preview = await bench.editing.preview(DEMO, await bench.edit(DEMO))
    assert "not 'tuned-latency'" in preview.problems["profile"]
    assert not (await bench.editing.save(DEMO, await bench.edit(DEMO, profile=""))).problems


async def test_a_model_goes_by_each_of_its_names(make: Make) -> None:
    repo = CATALOG.get(NAME).repo
    bench = make().write(f"models:\n  {repo}: {{flags: {{seed: 4}}}}\n")
    form = await bench.form(str(repo))
    assert (form.model, field(form, "seed").value) == (NAME, "4")
    preview = await bench.editing.save(NAME, await bench.edit(flags={"seed": "5"}))
    assert not preview.problems
    assert bench.file.read_text() == f"models:\n  {repo}: {{flags: {{seed: 5}}}}\n"


async def test_an_unknown_model(make: Make) -> None:
    with pytest.raises(UnknownModelError):
        await make().form("qwen9")


async def test_what_the_browser_sends_fits_the_form(make: Make) -> None:
    bench = make().write()
    form = await bench.form()
    posted = {f"flag.{name}": text for name, text in values(form.flags).items()}
    posted |= {f"limit.{name}": text for name, text in values(form.limits).items()}
    edit = read_edit(form, {**posted, "profile": "", "revision": form.revision})
    preview = await bench.editing.preview(NAME, edit)
    assert (preview.problems, preview.changes) == ({}, "")
    assert "Nothing is changed." in preview.notes


# ── the preview ─────────────────────────────────────────────────────────────────────────────


async def test_a_preview_is_the_plan_of_the_edited_start(make: Make) -> None:
    bench = make().write()
    edit = await bench.edit(flags={"max_num_seqs": "16"}, profile="latency")
    preview = await bench.editing.preview(NAME, edit)
    own = {NAME: {"flags": {"max_num_seqs": 16, "hf_overrides": "{}"}, "profile": "latency"}}
    other = make(models=own).models
    target = other.planning.target(NAME)
    made = make_plan(other.planning.question(target, as_started(other, target, Wish())))
    assert preview.plan == contract(made, claims_of(other.planning, made))
    assert preview.plan is not None
    assert preview.plan["flags"]["max_num_seqs"] == 16
    assert preview.compose == Composing(other).compose(ComposeWish(models=(NAME,))).text
    assert preview.changes == (
        "--- sparkwell.yaml\n+++ sparkwell.yaml\n@@ -5,6 +5,7 @@\n   # the small one\n"
        f"   {NAME}:\n     flags:\n-      max_num_seqs: 8  # few\n"
        "+      max_num_seqs: 16  # few\n       hf_overrides: '{}'\n     pinned: true\n"
        "+    profile: latency\n"
    )


async def test_a_preview_changes_nothing(make: Make) -> None:
    bench = make().write()
    before = bench.file.stat()
    await bench.editing.preview(NAME, await bench.edit(flags={"seed": "1"}))
    assert bench.file.read_text() == WRITTEN
    assert bench.file.stat().st_mtime_ns == before.st_mtime_ns
    assert sorted(each.name for each in bench.file.parent.iterdir()) == ["sparkwell.yaml"]
    assert bench.adopted == []
    assert bench.models.changes_of(NAME).flags == {}


async def test_what_does_not_fit_is_an_answer_and_can_be_saved(make: Make) -> None:
    bench = make()
    edit = await bench.edit("llama33-70b-fp8", flags={"gpu_memory_utilization": "0.2"})
    preview = await bench.editing.save("llama33-70b-fp8", edit)
    assert preview.plan is not None
    assert (preview.problems, preview.plan["fits"]) == ({}, False)
    assert preview.plan["problems"]
    assert len(bench.adopted) == 1


@pytest.mark.parametrize(
    ("flags", "wrong"),
    [
        ({"max_num_seqs": "0"}, "max_num_seqs"),
        ({"max_num_seqs": "<script>alert(1)</script>"}, "max_num_seqs"),
        ({"gpu_memory_utilization": "nan"}, "gpu_memory_utilization"),
        ({"tool_call_parser": "--trust-remote-code"}, "tool_call_parser"),
        ({"max_model_len": "999999", "seed": "5"}, "max_model_len"),
        ({"seed": "5", "tensor_parallel_size": "2"}, "tensor_parallel_size"),
        ({"trust_remote_code": "true"}, "trust_remote_code"),
        ({"chat_template": "/etc/passwd"}, "chat_template"),
        ({"model": "x/y"}, "model"),
        ({"image": "evil"}, "image"),
        ({"enable_sleep_mode": "true"}, "enable_sleep_mode"),
    ],
)
async def test_a_mistake_is_a_sentence_by_its_field(
    make: Make, flags: dict[str, str], wrong: str
) -> None:
    bench = make().write()
    edit = await bench.edit(flags=flags)
    for ask in (bench.editing.preview, bench.editing.save):
        preview = await ask(NAME, edit)
        assert list(preview.problems) == [wrong]
        assert preview.problems[wrong].endswith((".", "?"))
        assert (preview.plan, preview.compose, preview.changes) == (None, None, "")
    assert bench.file.read_text() == WRITTEN
    assert bench.adopted == []


@pytest.mark.parametrize("name", ["image", "driver", "env", "mounts", "x" * 500])
async def test_what_means_root_is_no_limit(make: Make, name: str) -> None:
    bench = make().write()
    preview = await bench.editing.save(NAME, await bench.edit(limits={name: "evil:latest"}))
    assert "root on this host" in preview.problems[name]
    assert len(preview.problems[name]) < 250
    assert bench.file.read_text() == WRITTEN


@pytest.mark.parametrize("profile", ["fastest", "null", "balanced\n  image: x", "Balanced"])
async def test_a_profile_that_there_is_not(make: Make, profile: str) -> None:
    bench = make().write()
    preview = await bench.editing.save(NAME, await bench.edit(profile=profile))
    assert list(preview.problems) == ["profile"]
    assert bench.file.read_text() == WRITTEN


async def test_all_mistakes_come_at_once(make: Make) -> None:
    bench = make().write()
    edit = await bench.edit(
        flags={"max_num_seqs": "0x8", "seed": "+1"}, limits={"idle_s": "-1"}, profile="x"
    )
    problems = (await bench.editing.preview(NAME, edit)).problems
    assert sorted(problems) == ["idle_s", "max_num_seqs", "profile", "seed"]


async def test_a_way_to_make_room_that_the_engine_has_not(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ways, "way", lambda *_of_what: way("cpu", "0.32.0"))
    bench = make("h100-80gb")
    preview = await bench.editing.save(DEMO, await bench.edit(DEMO, limits={"back_end": "sleep-1"}))
    assert list(preview.problems) == ["back_end"]
    assert not bench.file.exists()


async def test_without_an_engine_it_is_planned_all_the_same(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_of_what: object) -> Way:
        raise EnvironmentFault("vllm is not installed.")

    monkeypatch.setattr(Ways, "way", none)
    bench = make().write()
    preview = await bench.editing.preview(NAME, await bench.edit(flags={"max_num_seqs": "16"}))
    assert preview.plan is not None
    assert preview.plan["flags"]["max_num_seqs"] == 16


async def test_where_there_is_no_gpu_the_file_is_for_a_spark_with_the_edit(make: Make) -> None:
    bench = make("h100-80gb").write()
    bench.models.planning.__dict__["here"] = find_machine("cpu")
    preview = await bench.editing.preview(NAME, await bench.edit(flags={"max_num_seqs": "17"}))
    assert preview.compose is not None
    assert "- '17'" in preview.compose


async def test_what_stays_and_what_is_next_is_said(make: Make) -> None:
    bench = make(runs=True).write()
    preview = await bench.editing.preview(NAME, await bench.edit(flags={"seed": "1"}))
    assert preview.notes == (
        f"sparkwell.yaml also says hf_overrides of {NAME}: these stay in the file as they are.",
        f"{NAME} runs with what it was started with. `sparkwell restart {NAME}` takes the new "
        "settings.",
    )
    again = await make(runs=False).editing.preview(NAME, await bench.edit(flags={"seed": "1"}))
    assert "restart" not in "".join(again.notes)


async def test_a_model_in_ollama_has_its_context_alone(make: Make) -> None:
    bench = make().write("models:\n  ollama/qwen3:8b: {flags: {num_ctx: 2048}}\n")
    form = await bench.form("ollama/qwen3:8b")
    assert [each.name for each in form.flags] == ["num_ctx"]
    assert "back_end" not in values(form.limits)
    preview = await bench.editing.save(
        form.model, await bench.edit(form.model, flags={"num_ctx": "8192"})
    )
    assert (preview.problems, preview.plan, preview.compose) == ({}, None, None)
    assert load_settings(bench.file).models["ollama/qwen3:8b"].flags == {"num_ctx": 8192}
    wrong = await bench.edit(form.model, flags={"max_num_seqs": "1"}, profile="latency")
    assert sorted((await bench.editing.preview(form.model, wrong)).problems) == [
        "max_num_seqs",
        "profile",
    ]


async def test_planning_does_not_hold_the_loop(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[int] = set()

    def seen(*given: Any, **named: Any) -> Settings:
        threads.add(threading.get_ident())
        return load_settings(*given, **named)

    monkeypatch.setattr("sparkwell.app.editing.file.load_settings", seen)
    bench = make().write()
    edit = await bench.edit(flags={"seed": "1"})
    await bench.editing.preview(NAME, edit)
    await bench.editing.save(NAME, edit)
    assert threads
    assert threading.get_ident() not in threads


# ── the save ────────────────────────────────────────────────────────────────────────────────


async def test_what_is_saved_is_what_the_settings_say(make: Make) -> None:
    bench = make().write()
    edit = await bench.edit(
        flags={"max_num_seqs": "16", "kv_cache_dtype": "fp8", "gpu_memory_utilization": "0.80"},
        limits={"idle_s": "60", "pinned": "", "priority": "-5", "back_end": "cold"},
        profile="throughput",
    )
    preview = await bench.editing.save(NAME, edit)
    assert not preview.problems
    own = load_settings(bench.file).models[NAME]
    assert own.model_dump() == {
        "flags": {
            "max_num_seqs": 16,
            "hf_overrides": "{}",
            "kv_cache_dtype": "fp8",
            "gpu_memory_utilization": 0.8,
        },
        "profile": "throughput",
        "image": None,
        "driver": None,
        "idle_s": 60.0,
        "pinned": False,
        "priority": -5,
        "back_end": "cold",
    }
    assert [each.models for each in bench.adopted] == [{NAME: own}]
    assert bench.adopted[0].places.where("models", NAME).startswith(f"{bench.file}:6: ")
    lines = bench.file.read_text().splitlines()
    for line in WRITTEN.splitlines():
        if "pinned" not in line and "max_num_seqs" not in line:
            assert line in lines
    assert "      max_num_seqs: 16  # few" in lines
    form = await bench.form()
    assert field(form, "kv_cache_dtype").value == "fp8"
    assert form.revision != edit.revision


async def test_what_is_emptied_goes_with_what_is_empty_then(make: Make) -> None:
    bench = make().write(WRITTEN.replace("      hf_overrides: '{}'\n", ""))
    await bench.editing.save(
        NAME, await bench.edit(flags={"max_num_seqs": ""}, limits={"pinned": ""})
    )
    assert bench.file.read_text() == (
        "# this host\ngateway:\n  port: 8001  # ü\n  # the small one\n"
    )
    assert bench.adopted[0].models == {}


async def test_a_file_that_is_missing_is_made_for_its_user_alone(make: Make) -> None:
    bench = make()
    bench.file = bench.file.parent / "new" / "sparkwell.yaml"
    bench.editing = Editing(bench.models, bench.file, adopt=bench.adopted.append)
    await bench.editing.save(NAME, await bench.edit(flags={"seed": "7"}))
    assert bench.file.read_text() == f"models:\n  {NAME}:\n    flags:\n      seed: 7\n"
    assert stat.S_IMODE(bench.file.stat().st_mode) == 0o600


async def test_nothing_is_written_where_nothing_is_changed(make: Make) -> None:
    bench = make().write()
    before = bench.file.stat().st_ino
    preview = await bench.editing.save(NAME, await bench.edit())
    assert (preview.changes, bench.adopted) == ("", [])
    assert bench.file.stat().st_ino == before
    missing = make()
    missing.file.unlink()
    await missing.editing.save(NAME, await missing.edit())
    assert not missing.file.exists()


async def test_mode_and_link_stay(make: Make) -> None:
    bench = make()
    real = bench.file.with_name("real.yaml")
    real.write_text(WRITTEN, encoding="utf-8")
    real.chmod(0o640)
    bench.file.symlink_to(real)
    await bench.editing.save(NAME, await bench.edit(flags={"seed": "7"}))
    assert bench.file.is_symlink()
    assert "seed: 7" in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


async def test_of_two_editors_the_second_is_told(make: Make) -> None:
    bench = make().write()
    one, other = await bench.edit(flags={"seed": "1"}), await bench.edit(flags={"seed": "2"})
    results = await asyncio.gather(
        bench.editing.save(NAME, one), bench.editing.save(NAME, other), return_exceptions=True
    )
    refused = [each for each in results if isinstance(each, ConflictError)]
    assert len(refused) == 1
    assert "has changed since this page was opened; nothing was written" in refused[0].message
    assert len(bench.adopted) == 1
    assert bench.file.read_text().count("seed:") == 1


async def test_a_change_by_hand_is_not_undone(make: Make) -> None:
    bench = make().write()
    edit = await bench.edit(flags={"seed": "1"})
    bench.write(WRITTEN.replace("8001", "8002"))
    with pytest.raises(ConflictError):
        await bench.editing.save(NAME, edit)
    assert list((await bench.editing.preview(NAME, edit)).problems) == [""]
    assert "8002" in bench.file.read_text()
    assert bench.adopted == []


@pytest.mark.parametrize("revision", ["", MISSING, "x"])
async def test_a_save_without_the_right_revision(make: Make, revision: str) -> None:
    bench = make().write()
    with pytest.raises(ConflictError):
        await bench.editing.save(NAME, RecipeEdit("", {"seed": "1"}, {}, revision))


async def test_a_change_in_the_last_moment_is_not_undone(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make().write()
    edit = await bench.edit(flags={"seed": "1"})
    sync = os.fsync

    def late(descriptor: int) -> None:
        bench.write(WRITTEN.replace("8001", "8002"))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", late)
    with pytest.raises(ConflictError):
        await bench.editing.save(NAME, edit)
    assert "8002" in bench.file.read_text()
    assert "seed" not in bench.file.read_text()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("models:\n  a: {\n", "sparkwell.yaml:2: this is not YAML"),
        ("gateway:\n  prot: 1\n", "sparkwell.yaml:2: gateway.prot: unknown key"),
        ("a: 1\nmodels:\n  nobody: {}\n", "sparkwell.yaml:1: a: unknown key"),
        ("\nmodels:\n  nobody: {}\n", "sparkwell.yaml:3: models.nobody"),
        ("models:\n  demo-qwen3: {}\n  demo-qwen3: {}\n", "sparkwell.yaml:3: models.demo-qwen3"),
        ("models: [", "sparkwell.yaml:1: this is not YAML"),
    ],
)
async def test_a_broken_file_is_named_by_line_and_left_alone(
    make: Make, text: str, said: str
) -> None:
    bench = make().write(text)
    edit = RecipeEdit("", {"seed": "1"}, {}, "x")
    for ask in (bench.form(), bench.editing.preview(NAME, edit), bench.editing.save(NAME, edit)):
        with pytest.raises(DocumentError) as caught:
            await ask
        assert said in caught.value.message
    assert bench.file.read_text() == text


async def test_a_wrong_flag_in_the_file_is_named_by_line(make: Make) -> None:
    bench = make().write(f"models:\n  {NAME}: {{flags: {{max_num_seqs: many}}}}\n")
    with pytest.raises(UsageError, match=r"sparkwell.yaml:2: .*max_num_seqs takes"):
        await bench.form()


async def test_what_is_no_text_is_left_alone(make: Make) -> None:
    bench = make()
    bench.file.write_bytes(b"models: \xff\n")
    with pytest.raises(DocumentError, match="cannot be read"):
        await bench.form()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
async def test_where_it_cannot_be_written_the_old_file_stays(
    make: Make, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    bench = make().write()
    edit = await bench.edit(flags={"seed": "1"})

    def full(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EnvironmentFault) as caught:
        await bench.editing.save(NAME, edit)
    assert os.strerror(number) in caught.value.message
    assert caught.value.hint
    assert bench.file.read_text() == WRITTEN
    assert [each.name for each in bench.file.parent.iterdir()] == ["sparkwell.yaml"]
    assert bench.adopted == []


async def test_a_read_only_file_is_respected(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make().write()
    edit = await bench.edit(flags={"seed": "1"})
    monkeypatch.setattr(os, "access", lambda *_of_what: False)  # root may write everywhere
    with pytest.raises(EnvironmentFault, match="read-only"):
        await bench.editing.save(NAME, edit)
    assert bench.file.read_text() == WRITTEN


async def test_a_browser_that_goes_away_leaves_no_half_save(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make().write()
    edit = await bench.edit(flags={"seed": "1"})
    began, go_on = threading.Event(), threading.Event()
    sync = os.fsync

    def slow(descriptor: int) -> None:
        began.set()
        go_on.wait(5)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    saving = asyncio.create_task(bench.editing.save(NAME, edit))
    await asyncio.to_thread(began.wait, 5)
    saving.cancel()
    go_on.set()
    async with asyncio.timeout(5):
        while not bench.adopted:
            await asyncio.sleep(0.01)
    assert "seed: 1" in bench.file.read_text()
    assert bench.adopted[0].models[NAME].flags["seed"] == 1
