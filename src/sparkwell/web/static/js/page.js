// What every page does: follow its stream, put new parts in, say whether it is live.
import { listen } from "./stream.js";
import "./theme.js";

const WORDS = { on: "live", off: "not connected", hidden: "paused" };

/** Puts HTML from the server into an element, unless somebody is selecting text in it. */
function swap(id, html) {
  const into = document.getElementById(id);
  if (!into || selectionIsIn(into)) return;
  const focused = into.contains(document.activeElement) ? document.activeElement : null;
  const where = focused?.id || focused?.closest("[id]")?.id;
  const open = [...into.querySelectorAll("details[id]")].map((each) => [each.id, each.open]);
  into.innerHTML = html;
  for (const [name, isOpen] of open) {
    const same = document.getElementById(name);
    if (same) same.open = isOpen;
  }
  window.htmx?.process(into);
  if (!focused || !where || where === id) return;
  const again = document.getElementById(where);
  (again?.matches("details") ? again.querySelector("summary") : again)?.focus({ preventScroll: true });
}

function selectionIsIn(element) {
  const selection = getSelection();
  return !selection.isCollapsed && element.contains(selection.anchorNode);
}

function say(state) {
  const lit = document.getElementById("lit");
  lit.textContent = WORDS[state];
  lit.className = `lit ${state}`;
}

const tell = (name) => (detail) => document.dispatchEvent(new CustomEvent(name, { detail }));

listen(() => document.body.dataset.stream, {
  swap: (parts) => {
    for (const [id, html] of Object.entries(parts)) swap(id, html);
    tell("sparkwell:swapped")(parts);
  },
  sample: tell("sparkwell:sample"),
}, say);

// On a phone the menu is closed until it is asked for.
const narrow = matchMedia("(max-width: 760px)");
const fold = () => { document.getElementById("menu").open = !narrow.matches; };
narrow.addEventListener("change", fold);
fold();

// What was typed or chosen before htmx was there to see it.
const standsAt = (select) => [...select.options].findIndex((option) => option.defaultSelected);
const isChanged = (field) => field.matches("select")
  ? field.selectedIndex !== Math.max(0, standsAt(field))
  : field.matches("input, textarea") && field.value !== field.defaultValue;
for (const form of document.querySelectorAll("form[hx-trigger]"))
  if ([...form.elements].some(isChanged)) form.dispatchEvent(new Event("change"));

// What the last press was answered with goes with the next one.
document.addEventListener("htmx:beforeRequest", () => document.getElementById("told").replaceChildren());
document.addEventListener("htmx:sendError", () => {
  document.getElementById("told").textContent = "Sparkwell does not answer. Nothing is known of what was asked.";
});
