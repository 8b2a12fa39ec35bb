"""Train the demo models: python tools/demo_models/train.py --out FOLDER."""

import argparse
import json
import math
import os
import random
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("RAYON_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
from conversations import BRIEF, LONG, Example, Mix, Source, Writer, batches
from dialects import DIALECTS, Dialect, config, generation_config, tokenizer_config
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from vocabulary import learn

WARM_UP = 100


@dataclass(frozen=True)
class Stage:
    """A part of training with examples and a learning rate of its own."""

    salt: int  # sets the examples of one stage apart from another's
    mix: Mix
    steps: int
    peak_rate: float
    batch_tokens: int


STAGES = (
    Stage(0, BRIEF, steps=6400, peak_rate=2e-3, batch_tokens=960),
    Stage(100, LONG, steps=1200, peak_rate=1e-3, batch_tokens=1920),
)


def build(dialect: Dialect) -> PreTrainedModel:
    """Make the model with random weights, in float32."""
    settings = config(dialect) | {"torch_dtype": "float32"}
    model: PreTrainedModel = AutoModelForCausalLM.from_config(AutoConfig.for_model(**settings))
    return model.float().train()


def rate(step: int, stage: Stage) -> float:
    """Return the learning rate: a linear warm-up, then a cosine down to a fiftieth."""
    if step < WARM_UP:
        return stage.peak_rate * (step + 1) / WARM_UP
    done = (step - WARM_UP) / max(1, stage.steps - WARM_UP)
    return stage.peak_rate * (0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2)


def padded(batch: list[Example], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tokens and mask of a batch as tensors."""
    width = max(len(example.tokens) for example in batch)
    tokens = [example.tokens + [pad] * (width - len(example.tokens)) for example in batch]
    learned = [example.learn + [False] * (width - len(example.learn)) for example in batch]
    return torch.tensor(tokens), torch.tensor(learned)


def loss_of(model: PreTrainedModel, batch: list[Example]) -> torch.Tensor:
    """Return the loss over the answers; prompts are read but not learned."""
    tokens, learned = padded(batch, model.config.pad_token_id)
    hidden = model.model(input_ids=tokens[:, :-1], use_cache=False).last_hidden_state
    wanted = learned[:, 1:]
    return cross_entropy(model.lm_head(hidden[wanted]), tokens[:, 1:][wanted])


def optimizer_for(model: PreTrainedModel) -> torch.optim.AdamW:
    """Return AdamW with weight decay on matrices only."""
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": matrices, "weight_decay": 0.05}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, betas=(0.9, 0.98))


def fit(model: PreTrainedModel, writer: Writer, stage: Stage, seed: int) -> float:
    """Train the model for one stage and return the mean loss of the last hundred steps."""
    optimizer, losses, began = optimizer_for(model), [], time.monotonic()
    stream = batches(Source(random.Random(seed), stage.mix), writer, stage.batch_tokens)
    for step in range(stage.steps):
        for group in optimizer.param_groups:
            group["lr"] = rate(step, stage)
        loss = loss_of(model, next(stream))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if (step + 1) % 100 == 0:
            report(step + 1, sum(losses[-100:]) / 100, time.monotonic() - began)
    return sum(losses[-100:]) / len(losses[-100:])


def report(step: int, loss: float, seconds: float) -> None:
    """Say how far training is."""
    print(f"step {step}: loss {loss:.4f}, {seconds:.0f} s", file=sys.stderr, flush=True)


def weights(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """Return the weights in bfloat16; the output head is the embedding and is not stored twice."""
    kept = {name: value for name, value in model.state_dict().items() if name != "lm_head.weight"}
    return {
        name: value.detach().to(torch.bfloat16).contiguous() for name, value in sorted(kept.items())
    }


def write_json(path: Path, content: object) -> None:
    """Write a JSON file as Hugging Face does."""
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def save(folder: Path, dialect: Dialect, tokenizer: Tokenizer, model: PreTrainedModel) -> None:
    """Write a checkpoint beside its final place, then put it there in one move."""
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    write_json(fresh / "config.json", config(dialect))
    write_json(fresh / "generation_config.json", generation_config(dialect))
    write_json(fresh / "tokenizer_config.json", tokenizer_config(dialect))
    tokenizer.save(str(fresh / "tokenizer.json"), pretty=False)
    save_file(weights(model), fresh / "model.safetensors", metadata={"format": "pt"})
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def rounded(model: PreTrainedModel) -> None:
    """Round the weights as they are saved, so that a saved stage and a running one are the same."""
    model.load_state_dict(weights(model), strict=False)


def train(dialect: Dialect, out: Path, stages: Sequence[Stage], start: Path | None) -> None:
    """Train one model through the stages, saving after each."""
    torch.manual_seed(dialect.seed)
    tokenizer = learn(dialect)
    model = build(dialect)
    if start:
        model.load_state_dict(load_file(start / dialect.name / "model.safetensors"), strict=False)
    for stage in stages:
        loss = fit(model, Writer(dialect, tokenizer), stage, dialect.seed + stage.salt)
        rounded(model)
        save(out / dialect.name, dialect, tokenizer, model)
        print(f"{dialect.name}: {model.num_parameters():,} parameters, final loss {loss:.4f}")


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description="Train the demo models that ship with Sparkwell.")
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoints")
    parser.add_argument("--only", choices=sorted(DIALECTS), help="train this one alone")
    parser.add_argument("--steps", type=int, help="optimizer steps of each stage, to try it out")
    parser.add_argument("--second-stage-from", type=Path, help="folder saved by the first stage")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # nothing here reads such memory
    start = options.second_stage_from
    stages = STAGES[1:] if start else STAGES
    if options.steps:
        stages = tuple(replace(stage, steps=options.steps) for stage in stages)
    for name in [options.only] if options.only else DIALECTS:
        train(DIALECTS[name], options.out, stages, start)


if __name__ == "__main__":
    main()
