// The plots of the overview: history once, then each round of the monitor as it comes.
import { lastOf, number, plot, seriesColour } from "./plots.js";

const LIVE_S = 3600; // longer spans are asked for again instead: their points are minutes apart
const AGAIN_MS = 60_000;
const SHARE = { format: (value) => (value === null ? "–" : `${Math.round(value * 100)} %`), top: 1 };
/** How a plot is drawn, by the first of its series; `least` is how far its y axis reaches at least. */
const LOOKS = { kv_used: SHARE, ttft_p95_s: { least: 0.1 }, running: { least: 2, whole: true } };

const root = document.getElementById("plots");
const figures = [...root.querySelectorAll("figure")];
let since = 900;
let models = {}; // by model, by series: [times, values]
let drawn = []; // by figure: what is drawn, and of which lines

/** The number of each model's colour, as the server gave it to the table. */
const colours = () => Object.fromEntries(
  [...document.querySelectorAll("[data-model]")].map((row) => [row.dataset.model, Number(row.dataset.colour)]));

/** The lines of a figure that have a value in this span: [model, name, series]. */
function linesOf(figure) {
  const names = figure.dataset.plot.split(" ");
  return Object.entries(models).flatMap(([model, series]) => names
    .filter((name) => series[name]?.[1].some((value) => value !== null))
    .map((name) => [model, name, series[name]]));
}

const keyOf = (found) => JSON.stringify(found.map(([model, name]) => [model, name]));
const dataOf = (found) => uPlot.join(found.map(([, , series]) => series));

function drawOne(figure, index) {
  drawn[index]?.made?.remove();
  const found = linesOf(figure);
  const names = figure.dataset.plot.split(" ");
  const into = figure.querySelector(".plot");
  const title = figure.querySelector("figcaption").textContent.trim();
  drawn[index] = { key: keyOf(found), made: null };
  if (!found.length) { nothing(into); return; }
  const colour = colours();
  const lines = found.map(([model, name]) => ({
    label: names.length > 1 ? `${model} ${name}` : model,
    colour: seriesColour(colour[model] ?? 0),
    dash: name === names[0] ? undefined : [4, 4],
  }));
  const look = { format: number, ...LOOKS[names[0]] };
  const made = plot(into, {
    lines, ...look, data: dataOf(found), title,
    x: { range: () => { const end = Math.max(Date.now() / 1000, newest()); return [end - since, end]; } },
  });
  drawn[index] = { key: keyOf(found), made, lines, title, format: look.format };
  name(drawn[index]);
}

/** What a plot is called by a screen reader: its title and its newest values. */
function name({ made, lines, title, format }) {
  made.chart.root.setAttribute("aria-label", `${title}; newest: ${lastOf(lines, made.chart.data, format)}`);
}

const draw = () => figures.forEach(drawOne);

function nothing(into) {
  const note = document.createElement("p");
  note.className = "empty";
  note.textContent = "Nothing measured in this span yet.";
  into.replaceChildren(note);
}

function newest() {
  let at = 0;
  for (const series of Object.values(models))
    for (const [times] of Object.values(series)) at = Math.max(at, times.at(-1) ?? 0);
  return at;
}

async function load() {
  const answer = await fetch(`${root.dataset.history}?since=${since}`);
  if (!answer.ok) return;
  ({ models } = await answer.json());
  draw();
}

function add({ at, models: now }) {
  if (since > LIVE_S) return;
  for (const [model, values] of Object.entries(now)) {
    models[model] ??= {};
    for (const [name, value] of Object.entries(values)) {
      const [times, points] = (models[model][name] ??= [[], []]);
      if (at === times.at(-1)) continue;
      // The clock was set back: what lies ahead of it now is of the time before that.
      while (times.length && times.at(-1) > at) { times.pop(); points.pop(); }
      times.push(at);
      points.push(value);
      while (times[0] < at - since) { times.shift(); points.shift(); }
    }
  }
  figures.forEach((figure, index) => {
    const found = linesOf(figure);
    if (drawn[index]?.key !== keyOf(found)) { drawOne(figure, index); return; }
    if (!found.length) return;
    drawn[index].made.chart.setData(dataOf(found));
    name(drawn[index]);
  });
}

document.getElementById("spans").addEventListener("click", ({ target }) => {
  if (!target.dataset.since) return;
  since = Number(target.dataset.since);
  for (const each of target.parentElement.children) each.setAttribute("aria-pressed", String(each === target));
  load();
});
document.addEventListener("sparkwell:sample", ({ detail }) => add(detail));
document.addEventListener("sparkwell:theme", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
setInterval(() => { if (since > LIVE_S && !document.hidden) load(); }, AGAIN_MS);
// After a pause there is a hole: the history fills it.
document.addEventListener("visibilitychange", () => { if (!document.hidden) load(); });
load();
