// Output by plan over the number of streams at once, one line for each model.
import { number, plot, seriesColour } from "./plots.js";

const into = document.getElementById("speeds");
let drawn = null;

function draw() {
  drawn?.remove();
  const curves = JSON.parse(into.dataset.curves);
  if (!curves.length) {
    const note = document.createElement("p");
    note.className = "empty";
    note.textContent = "No speed is known of these on this machine.";
    into.replaceChildren(note);
    return;
  }
  drawn = plot(into, {
    lines: curves.map((each) => ({ label: each.model, colour: seriesColour(each.colour), points: true })),
    data: uPlot.join(curves.map((each) => [
      each.points.map((point) => point.concurrency), each.points.map((point) => point.tokens_per_s)])),
    format: number,
    x: { time: false, distr: 3, log: 2 },
    xAxis: { values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : String(tick))), say: (count) => `${count} at once` },
    title: "Output by plan in tokens per second over streams at once; the table has the ends",
  });
}

if (into) {
  document.addEventListener("sparkwell:theme", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  draw();
}
