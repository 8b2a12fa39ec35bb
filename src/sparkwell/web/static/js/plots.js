// Plots by uPlot, in the colours of the page.
const COLOURS = 6;
const COUNTS = Array.from({ length: 13 }, (_, power) => [1, 2, 5].map((each) => each * 10 ** power)).flat();

/** The value of a colour token as the page shows it now, light or dark. */
export function colour(name) {
  const probe = document.createElement("span");
  probe.className = `probe-${name}`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

export const seriesColour = (index) => colour(`c${index % COLOURS}`);

const axis = (more) => ({
  stroke: colour("muted"),
  grid: { stroke: colour("line"), width: 1 },
  ticks: { show: false },
  font: "11px system-ui, sans-serif",
  ...more,
});

/**
 * Draws into `into`. `lines` are {label, colour, dash}; `data` is uPlot's: x first, then a column
 * for each line. `format` writes a value of the y axis, which reaches to `least` at least: where
 * all is 0 it would have no height. `whole` is for counts.
 */
export function plot(into, { lines, data, format, top, least = 1, whole = false, x = {}, xAxis = {}, title }) {
  into.replaceChildren();
  const chart = new uPlot({
    width: Math.max(160, into.clientWidth),
    height: into.clientHeight,
    legend: { show: false },
    cursor: { y: false, points: { size: 6 } },
    scales: { x, y: { range: (_, __, max) => [0, top ?? Math.max((max ?? 0) * 1.1, least)] } },
    axes: [axis({ space: 56, size: 24, values: times, ...xAxis }), axis({ size: 46, ...(whole ? { incrs: COUNTS } : {}), values: (_, ticks) => ticks.map(format) })],
    series: [{}, ...lines.map((line) => ({
      label: line.label,
      stroke: line.colour,
      width: 1.75,
      dash: line.dash,
      points: { show: line.points ?? false, size: 5, fill: line.colour },
      spanGaps: false,
    }))],
    plugins: [tip(lines, format, xAxis.say)],
  }, data, into);
  chart.root.setAttribute("role", "img");
  chart.root.setAttribute("aria-label", title);
  const seen = new ResizeObserver(() => {
    const width = Math.max(160, into.clientWidth);
    if (width !== chart.width) chart.setSize({ width, height: into.clientHeight });
  });
  seen.observe(into);
  return { chart, remove: () => { seen.disconnect(); chart.destroy(); } };
}

/** The last value of each line in words, for who cannot see them. */
export function lastOf(lines, data, format) {
  const last = (column) => { const at = column.findLastIndex((value) => value !== null && value !== undefined); return at < 0 ? null : column[at]; };
  return lines.map((line, index) => `${line.label} ${format(last(data[index + 1]))}`).join(", ");
}

/** Times of the x axis: of day, and over more than two days the date. */
function times(chart, ticks) {
  const { min, max } = chart.scales.x;
  const form = max - min > 172_800 ? { month: "short", day: "numeric" } : { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  return ticks.map((at) => new Date(at * 1000).toLocaleString("en", form));
}

/** A small note at the cursor: when, and the value of each line. */
function tip(lines, format, say = (at) => new Date(at * 1000).toLocaleString("en", { hourCycle: "h23" })) {
  const note = document.createElement("div");
  note.className = "tip";
  note.hidden = true;
  return {
    hooks: {
      init: (chart) => chart.over.append(note),
      setCursor: (chart) => {
        const { idx, left } = chart.cursor;
        note.hidden = idx === null || idx === undefined || left < 0;
        if (note.hidden) return;
        const rows = lines.map((line, index) => [line, chart.data[index + 1][idx]])
          .filter(([, value]) => value !== null && value !== undefined)
          .map(([line, value]) => {
            const row = document.createElement("div");
            row.textContent = `${line.label} ${format(value)}`;
            row.style.color = line.colour;
            return row;
          });
        const head = document.createElement("div");
        head.textContent = say(chart.data[0][idx]);
        note.replaceChildren(head, ...rows);
        const right = left > chart.over.clientWidth / 2;
        note.style.left = right ? "" : `${left + 10}px`;
        note.style.right = right ? `${chart.over.clientWidth - left + 10}px` : "";
      },
    },
  };
}

export function number(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  return value.toLocaleString("en", { maximumFractionDigits: size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3 });
}

/** A count in a few letters: 412, 12.3K, 4.2M. */
export function short(value) {
  if (value === null || value === undefined) return "–";
  return value < 10_000 ? number(value) : value.toLocaleString("en", { notation: "compact", maximumSignificantDigits: 3 });
}
