// Marks the fields that the server's preview complains of.
function mark() {
  const preview = document.querySelector("[data-problems]");
  if (!preview) return;
  const problems = JSON.parse(preview.dataset.problems);
  for (const field of document.querySelectorAll("[data-field]")) {
    const words = problems[field.dataset.field] ?? "";
    const input = field.querySelector("input, select");
    field.querySelector(".wrong").textContent = words;
    if (words) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }
}

document.addEventListener("htmx:afterSwap", ({ target }) => { if (target.id === "preview") mark(); });
mark();
