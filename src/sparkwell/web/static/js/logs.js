// The log as it is written. The page holds the newest lines only: 2,000 a second must not fill it.
import { listen } from "./stream.js";

const WINDOW = 2000;
const log = document.getElementById("log");
const follow = document.getElementById("follow");
const says = document.getElementById("log-says");

function line([number, error, text]) {
  const row = document.createElement("div");
  if (error) row.className = "wrong";
  const count = document.createElement("i");
  count.textContent = number ?? "";
  const words = document.createElement("span");
  words.textContent = text; // never HTML: an engine logs what clients sent
  row.append(count, words);
  return row;
}

function gap(count) {
  const row = document.createElement("div");
  row.className = "gap";
  row.textContent = `${count.toLocaleString("en")} lines came too quickly to be shown`;
  return row;
}

function add({ lines, left_out: leftOut }) {
  // Who reads further up must not have the lines pulled from under the eyes. Asked here and not
  // only when it scrolls: the next batch may come before the browser says so.
  if (!atEnd()) follow.checked = false;
  if (!follow.checked) { waiting = [...waiting, ...lines].slice(-WINDOW); missed += leftOut; tell(); return; }
  show(lines, leftOut);
}

const atEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 40;

function show(lines, leftOut) {
  log.append(...(leftOut ? [gap(leftOut)] : []), ...lines.slice(-WINDOW).map(line));
  while (log.childElementCount > WINDOW) log.firstElementChild.remove();
  log.scrollTop = log.scrollHeight;
  tell();
}

function tell() {
  says.textContent = follow.checked
    ? `${log.childElementCount.toLocaleString("en")} lines shown`
    : `${waiting.length.toLocaleString("en")}${missed ? " and more" : ""} new lines wait`;
}

let waiting = [];
let missed = 0;

if (log) {
  log.scrollTop = log.scrollHeight;
  follow.addEventListener("change", () => {
    if (!follow.checked) return;
    show(waiting, missed);
    [waiting, missed] = [[], 0];
    tell();
  });
  log.addEventListener("scroll", () => {
    if (atEnd() || !follow.checked) return;
    follow.checked = false;
    tell();
  });
  if (log.dataset.live) {
    let after = log.dataset.after;
    listen(() => `${log.dataset.live}&after=${after}`, {
      lines: (data) => { after = data.after ?? after; add(data); },
      end: (_, source) => { source.close(); says.textContent += "; the run has ended"; },
    });
  }
}
