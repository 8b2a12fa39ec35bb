// Chat with one model or two side by side. All text goes in as text: answers may hold anything.
import { ask } from "./chat.js";
import "./copy.js";
import { curl, python } from "./snippets.js";

const $ = (id) => document.getElementById(id);
const form = $("ask");
const base = new URL(form.dataset.api, location.href).href;
const PARAMS = ["temperature", "top_p", "max_tokens", "seed"];
const sides = [];
let running = null;
let language = "curl";
const keysNeeded = form.dataset.keys === "1";
const states = JSON.parse(form.dataset.models); // by name: state, GiB that it holds, seconds of a start
const budget = form.dataset.budget ? Number(form.dataset.budget) : null;

function parameters() {
  const given = PARAMS.map((name) => [name, $(name).value]).filter(([, value]) => value !== "");
  return Object.fromEntries(given.map(([name, value]) => [name, Number(value)]));
}

function chosen() {
  return $("both").checked ? [$("model-a").value, $("model-b").value] : [$("model-a").value];
}

/** A column of its own: its model, its turns, and the figures of its last answer. */
function side(model) {
  const root = $("side").content.cloneNode(true).firstElementChild;
  root.querySelector("h2").textContent = model;
  root.querySelector(".turns").setAttribute("aria-label", `Conversation with ${model}`);
  $("talk").append(root);
  return { model, root, messages: [] };
}

function turn(where, kind, text = "") {
  const row = document.createElement("div");
  row.className = `turn ${kind}`;
  row.textContent = text;
  where.root.querySelector(".turns").append(row);
  return row;
}

/** What a model thinks before it answers, apart from the answer. */
function thinking(where) {
  const box = document.createElement("details");
  box.className = "turn thought";
  box.open = true;
  const head = document.createElement("summary");
  head.textContent = "Reasoning";
  const words = document.createElement("div");
  box.append(head, words);
  where.root.querySelector(".turns").append(box);
  return { box, words };
}

function say(where, text) { where.root.querySelector(".panel-head .muted").textContent = text; }

function figures(where, parts) {
  const into = where.root.querySelector(".figures");
  into.replaceChildren(...parts.map(([name, value]) => {
    const cell = document.createElement("span");
    const bold = document.createElement("b");
    bold.textContent = value;
    cell.append(`${name} `, bold);
    return cell;
  }));
}

const ms = (value) => (value === null ? "–" : value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(2)} s`);

let keyComing = null;

/** The daemon's own key, asked for once; it is kept here alone, and in no snippet. */
function ownKey() {
  keyComing ??= fetchKey().catch((error) => { keyComing = null; throw error; });
  return keyComing;
}

async function fetchKey() {
  const told = await fetch(form.dataset.key, { method: "POST", redirect: "manual", headers: { "X-Csrf-Token": form.dataset.token } });
  if (told.type === "opaqueredirect") throw new Error("This page is not signed in any more. Load it again.");
  if (!told.ok) throw new Error(`The dashboard gave no key to ask with (${told.status}). Load the page again.`);
  return (await told.json()).key;
}

async function answer(where, prompt, signal) {
  where.messages.push({ role: "user", content: prompt });
  turn(where, "user", prompt);
  say(where, "asked");
  let row = null;
  let thought = null;
  let text = "";
  const system = $("system").value.trim();
  const messages = [...(system ? [{ role: "system", content: system }] : []), ...where.messages];
  try {
    const got = await ask(base, await ownKey(), { model: where.model, messages, ...parameters() }, signal, {
      waiting: (words) => say(where, words),
      thought: (piece) => { thought ??= thinking(where); thought.words.append(piece); say(where, "thinking"); },
      text: (piece) => {
        if (!row && thought) thought.box.open = false; // who wants to read it opens it
        row ??= turn(where, "answer");
        row.append(piece);
        text += piece;
        say(where, "answering");
      },
    });
    if (got.ttft !== null) { (states[where.model] ??= {}).state = "ready"; warn(); }
    say(where, got.finish === "length" ? "cut off at max_tokens" : "");
    figures(where, [["first token", ms(got.ttft)], ["output", got.perSecond === null ? "–" : `${got.perSecond.toFixed(1)} tok/s`],
      ["tokens", got.tokens ?? "–"], ["in all", ms(got.total)]]);
  } catch (error) {
    if (error.status === 401) keyComing = null; // a daemon that began since has another one
    say(where, "");
    turn(where, "problem", error.name === "AbortError" ? "Stopped." : error.message);
  }
  if (text) where.messages.push({ role: "assistant", content: text });
  else where.messages.pop(); // a question without an answer would be asked again with the next
}

async function send() {
  const prompt = $("prompt").value.trim();
  if (!prompt || running) return;
  running = new AbortController();
  fit();
  $("prompt").value = "";
  $("send").disabled = true;
  $("halt").hidden = false;
  await Promise.all(sides.map((each) => answer(each, prompt, running.signal)));
  running = null;
  $("send").disabled = false;
  $("halt").hidden = true;
  $("prompt").focus();
}

const gib = (value) => value.toFixed(1);
const asleep = (model) => states[model]?.state !== "ready";

/** What has to happen first, said before it does: a start, or one model that leaves for another. */
function warn() {
  const models = [...new Set(chosen())];
  const late = models.filter(asleep);
  const held = models.map((model) => states[model]?.held_gib ?? null);
  const sum = held.includes(null) ? null : held.reduce((all, each) => all + each, 0);
  const start_s = Math.max(...late.map((model) => states[model]?.start_s ?? 0), 0);
  const about = start_s ? ` (about ${Math.round(start_s)} s by plan)` : "";
  const does = late.length > 1 ? "do" : "does";
  let words = "";
  if (models.length > 1 && sum !== null && budget !== null && sum > budget)
    words = `These two do not fit beside each other (${gib(sum)} of ${gib(budget)} GiB). Sparkwell switches between them: one answers, then leaves for the other${about}.`;
  else if (late.length)
    words = `${late.join(" and ")} ${does} not run. Sending starts ${late.length > 1 ? "them" : "it"}${about}; another model may leave for that.`;
  $("first").textContent = words;
}

/** As many columns as models are chosen; one whose model has changed begins anew. */
function fit() {
  const models = chosen();
  models.forEach((model, index) => {
    if (sides[index]?.model === model) return;
    const fresh = side(model);
    if (sides[index]) sides[index].root.replaceWith(fresh.root);
    sides[index] = fresh;
  });
  for (const each of sides.splice(models.length)) each.root.remove();
  $("talk").classList.toggle("two", sides.length === 2);
  warn();
  code();
}

function code() {
  const system = $("system").value.trim();
  const content = $("prompt").value.trim() || "Say hello.";
  const messages = [...(system ? [{ role: "system", content: system }] : []), ...(sides[0]?.messages ?? []), { role: "user", content }];
  const body = { model: $("model-a").value, messages, ...parameters(), stream: true };
  $("code").textContent = (language === "curl" ? curl : python)(base, body, keysNeeded);
}

function beside() { $("beside").hidden = !$("both").checked; }

form.addEventListener("submit", (event) => { event.preventDefault(); send(); });
form.addEventListener("input", code);
form.addEventListener("change", () => { beside(); if (!running) fit(); });
$("prompt").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send();
});
$("halt").addEventListener("click", () => running?.abort());
$("clear").addEventListener("click", () => {
  running?.abort();
  for (const each of sides.splice(0)) each.root.remove();
  fit();
  $("prompt").focus();
});
for (const button of document.querySelectorAll("[data-lang]"))
  button.addEventListener("click", () => {
    language = button.dataset.lang;
    for (const each of button.parentElement.children) each.setAttribute("aria-pressed", String(each === button));
    code();
  });
beside();
fit();
$("asking").disabled = false;
