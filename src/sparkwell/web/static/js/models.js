// Filtering the catalog, and choosing models to compare. All rows are there: 50 are no burden.
const MOST = 6;
const text = document.getElementById("filter-text");
const kind = document.getElementById("filter-kind");
const rows = [...document.querySelectorAll("article.model")];
const boxes = [...document.querySelectorAll('input[name="model"]')];

function wanted(row) {
  const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.every((word) => row.dataset.text.includes(word))) return false;
  if (kind.value === "runs") return row.querySelector("[data-runs]").dataset.runs === "1";
  if (kind.value === "fits") return row.dataset.fits === "1";
  if (kind.value === "here") return row.dataset.here === "1";
  return true;
}

function filter() {
  let count = 0;
  for (const row of rows) {
    row.hidden = !wanted(row);
    count += !row.hidden;
  }
  document.getElementById("filter-count").textContent = `${count} of ${rows.length} models`;
  document.getElementById("filter-none").hidden = count > 0 || !rows.length;
}

function choose() {
  const chosen = boxes.filter((box) => box.checked).length;
  document.getElementById("compare").disabled = chosen < 1;
  for (const box of boxes) box.disabled = !box.checked && chosen >= MOST;
}

text.addEventListener("input", filter);
kind.addEventListener("change", filter);
text.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
document.addEventListener("sparkwell:swapped", () => { if (kind.value === "runs") filter(); });
document.addEventListener("change", ({ target }) => { if (target.name === "model") choose(); });
filter();
choose();
