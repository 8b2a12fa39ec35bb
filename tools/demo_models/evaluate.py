"""Ask a finished model what it was never trained on: python evaluate.py FOLDER."""

import argparse
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import questions
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

BATCH = 32
OFF_TOPIC_SAMPLE = 300


def checks() -> dict[str, list[tuple[str, str]]]:
    """Return unseen (question, right answer) pairs by kind."""
    asked = [(q, t.answer) for t in questions.topics() for q in t.checking() if q in t.asked]
    filled = [(q, t.answer) for t in questions.topics() for q in t.checking() if q not in t.asked]
    unknown = questions.off_topic()
    off = random.Random(0).sample(list(unknown.checking()), OFF_TOPIC_SAMPLE)
    return {
        "written by hand": asked,
        "from patterns": filled,
        "off topic": [(q, unknown.answer) for q in off],
    }


class Model:
    """A finished checkpoint, in bfloat16 as it is shipped."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, padding_side="left"
        )
        self.model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.bfloat16
        ).eval()

    def prompt(self, question: str, before: Sequence[tuple[str, str]] = ()) -> str:
        """Render a question, after earlier questions and answers, as the engine does."""
        messages = []
        for earlier, answer in before:
            messages += [{"role": "user", "content": earlier}]
            messages += [{"role": "assistant", "content": answer}]
        messages += [{"role": "user", "content": question}]
        return str(
            self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        )

    def answers(self, prompts: list[str], **how: object) -> list[str]:
        """Generate answers to rendered prompts."""
        inputs = self.tokenizer(
            prompts, return_tensors="pt", padding=True, add_special_tokens=False
        )
        with torch.inference_mode():
            output = self.model.generate(
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                max_new_tokens=120,
                **how,
            )
        width = inputs["input_ids"].shape[1]
        return [
            text.strip()
            for text in self.tokenizer.batch_decode(output[:, width:], skip_special_tokens=True)
        ]

    def greedy(self, asked: list[str]) -> Iterator[str]:
        """Answer questions with the likeliest tokens."""
        for start in range(0, len(asked), BATCH):
            prompts = [self.prompt(question) for question in asked[start : start + BATCH]]
            yield from self.answers(
                prompts, do_sample=False, temperature=None, top_p=None, top_k=None
            )


def score(
    model: Model, pairs: list[tuple[str, str]], limit: int
) -> tuple[int, list[tuple[str, str]]]:
    """Return how many pairs were asked, and the question and answer of each failure."""
    chosen = random.Random(1).sample(pairs, min(limit, len(pairs)))
    got = model.greedy([question for question, _ in chosen])
    wrong = [(q, text) for (q, right), text in zip(chosen, got, strict=True) if text != right]
    return len(chosen), wrong


def late(model: Model, turns: int) -> float:
    """Return the share of right answers to a known question after some turns of a chat."""
    known = [(q, t.answer) for t in questions.topics() for q in t.training().asked[:1]]
    rng = random.Random(2)
    chats = [rng.sample(known, turns + 1) for _ in range(64)]
    prompts = [model.prompt(chat[-1][0], chat[:-1]) for chat in chats]
    cuts = [prompts[start : start + 8] for start in range(0, len(prompts), 8)]
    got = [text for cut in cuts for text in model.answers(cut, do_sample=False)]
    return sum(text == chat[-1][1] for text, chat in zip(got, chats, strict=True)) / len(chats)


def sampled(model: Model, question: str) -> Counter[str]:
    """Answer one question twenty times at temperature 0.7, without any other cut."""
    torch.manual_seed(0)
    prompts = [model.prompt(question)] * 20
    return Counter(model.answers(prompts, do_sample=True, temperature=0.7, top_p=1.0, top_k=0))


def main() -> None:
    """Score one checkpoint and print what it got wrong."""
    parser = argparse.ArgumentParser(
        description="Score a demo model on questions that it never saw."
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, default=500, help="questions of each kind")
    parser.add_argument("--show", type=int, default=0, help="failures to print")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = Model(options.folder)
    for kind, pairs in checks().items():
        asked, wrong = score(model, pairs, options.limit)
        print(f"{kind}: {asked - len(wrong)} of {asked} right ({1 - len(wrong) / asked:.1%})")
        for question, text in wrong[: options.show]:
            print(f"  {question!r} -> {text[:90]!r}")
    for turns in (1, 5, 10, 20):
        print(f"known questions after {turns} turns: {late(model, turns):.1%} right")
    for question in ("What is the KV cache?", "How do I switch models?"):
        print(question, dict(sampled(model, question)))


if __name__ == "__main__":
    main()
