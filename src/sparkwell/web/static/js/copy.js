// Buttons that copy what an element says: data-copy is its id. Without scripts they are not there.

/** Copies by the clipboard, which pages of other machines have over https alone; else by selecting. */
async function copy(element) {
  try {
    await navigator.clipboard.writeText(element.textContent);
    return true;
  } catch {
    const selection = getSelection();
    selection.selectAllChildren(element);
    return document.execCommand("copy"); // if not, it is selected: Ctrl+C does it
  }
}

for (const button of document.querySelectorAll("[data-copy]")) {
  const words = button.textContent;
  button.setAttribute("aria-live", "polite");
  button.addEventListener("click", async () => {
    button.textContent = (await copy(document.getElementById(button.dataset.copy))) ? "Copied" : "Selected";
    setTimeout(() => { button.textContent = words; }, 1500);
  });
  button.hidden = false;
}
