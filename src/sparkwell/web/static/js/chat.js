// One streamed answer of the OpenAI endpoint, and its figures as the client sees them.

/** Yields the lines of a streamed body; a character may lie across two pieces. */
async function* linesOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    yield* parts;
  }
  if (rest) yield rest;
}

const OPENS = "<think>";
const CLOSES = "</think>";

/**
 * Parts an answer that thinks aloud in its text: an engine without a parser for it sends
 * `<think>…</think>` before the answer. A tag may come in pieces.
 */
function parted(on) {
  let held = "";
  let inside = null; // not known before the first letters
  return (piece) => {
    held += piece;
    if (inside === null) {
      const begun = held.trimStart();
      if (OPENS.startsWith(begun.slice(0, OPENS.length)) && begun.length < OPENS.length) return;
      inside = begun.startsWith(OPENS);
      if (inside) held = begun.slice(OPENS.length);
    }
    if (inside) {
      const end = held.indexOf(CLOSES);
      if (end < 0) {
        const safe = held.length - CLOSES.length;
        if (safe > 0) { on.thought(held.slice(0, safe)); held = held.slice(safe); }
        return;
      }
      if (end > 0) on.thought(held.slice(0, end));
      inside = false;
      held = held.slice(end + CLOSES.length).trimStart();
    }
    if (held) on.text(held);
    held = "";
  };
}

/**
 * Asks with a key, and calls `on.waiting(text)`, `on.thought(text)`, `on.text(text)` as it comes. Returns
 * {ttft, total, tokens, perSecond, finish}: milliseconds, and null where nobody said.
 */
export async function ask(api, key, body, signal, on) {
  const began = performance.now();
  const answer = await fetch(`${api}/chat/completions`, {
    method: "POST", signal, headers: { "Content-Type": "application/json", Authorization: `Bearer ${key}` },
    body: JSON.stringify({ ...body, stream: true, stream_options: { include_usage: true } }),
  });
  if (!answer.ok) throw Object.assign(new Error(await reason(answer)), { status: answer.status });
  let first = null;
  let last = began;
  let tokens = null;
  let finish = null;
  const tell = parted(on);
  for await (const line of linesOf(answer.body)) {
    if (line.startsWith(":")) { on.waiting(line.slice(1).replace(/^ *sparkwell /, "").trim()); continue; }
    if (!line.startsWith("data:")) continue;
    const data = line.slice(5).trim();
    if (data === "[DONE]") break;
    const chunk = JSON.parse(data);
    if (chunk.error) throw new Error(chunk.error.message ?? "The engine broke off.");
    tokens = chunk.usage?.completion_tokens ?? tokens;
    const choice = chunk.choices?.[0];
    finish = choice?.finish_reason ?? finish;
    const thought = choice?.delta?.reasoning_content ?? choice?.delta?.reasoning;
    const text = choice?.delta?.content;
    if (!thought && !text) continue;
    last = performance.now();
    first ??= last;
    if (thought) on.thought(thought);
    if (text) tell(text);
  }
  const spent = first === null ? 0 : (last - first) / 1000;
  return {
    ttft: first === null ? null : first - began,
    total: performance.now() - began,
    tokens, finish,
    // The first token's time is prefill: what follows is the speed of decoding.
    perSecond: tokens > 1 && spent > 0 ? (tokens - 1) / spent : null,
  };
}

async function reason(answer) {
  const text = await answer.text();
  try { return JSON.parse(text).error.message; } catch { return `${answer.status} ${text.slice(0, 300)}`; }
}
