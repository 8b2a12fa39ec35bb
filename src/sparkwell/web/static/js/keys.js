// What keys used, by day: one line for each key.
import { number, plot, seriesColour, short } from "./plots.js";

const root = document.getElementById("usage-plots");
const { days, courses } = JSON.parse(root.dataset.chart);
const STEPS = [1, 2, 7, 14, 28];
let drawn = [];

/** A date of UTC, whatever the browser's own zone is. */
const date = (at) => (days[at]
  ? new Date(`${days[at]}T00:00:00Z`).toLocaleDateString("en", { timeZone: "UTC", month: "short", day: "numeric" }) : "");

function draw() {
  for (const each of drawn.splice(0)) each.remove();
  for (const figure of root.querySelectorAll("figure")) {
    const name = figure.dataset.plot;
    const sum = courses.flatMap((each) => each[name]).reduce((all, each) => all + each, 0);
    drawn.push(plot(figure.querySelector(".plot"), {
      lines: courses.map((each, index) => ({ label: each.key || "without a key", colour: seriesColour(index), points: true })),
      data: [days.map((_, at) => at), ...courses.map((each) => each[name])],
      format: short,
      whole: true,
      x: { time: false },
      xAxis: { incrs: STEPS, values: (_, ticks) => ticks.map(date), say: date },
      title: `${figure.querySelector("figcaption").textContent.trim()}: ${number(sum)} in ${days.length} days; the table below says whose`,
    }));
  }
}

document.addEventListener("sparkwell:theme", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
draw();
