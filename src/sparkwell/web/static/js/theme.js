// Light, dark, or as the system says. The server reads the cookie and writes the theme into the page.
const KEEP_S = 31_536_000;
const root = document.documentElement;
const choice = document.getElementById("theme");

function apply() {
  const theme = choice.value;
  if (theme) root.dataset.theme = theme;
  else delete root.dataset.theme;
  const age = theme ? KEEP_S : 0;
  document.cookie = `sparkwell_theme=${theme}; path=${choice.dataset.path}; max-age=${age}; samesite=strict`;
  document.dispatchEvent(new CustomEvent("sparkwell:theme"));
}

choice.addEventListener("change", apply);
if (choice.value !== (root.dataset.theme ?? "")) apply(); // chosen before this script was there
