// One event stream of a page. A browser opens six connections to a server at most, over all its
// tabs: a page that nobody looks at gives its own back.

const PATIENCE_MS = 3000;

/** Opens `url()` while the page is visible; `handlers` take parsed data by event name. */
export function listen(url, handlers, told = () => {}) {
  let source = null;
  let later = 0;

  const close = () => {
    clearTimeout(later);
    source?.close();
    source = null;
  };
  const open = () => {
    close();
    source = new EventSource(url());
    source.onopen = () => told("on");
    source.onerror = () => {
      told("off");
      // The browser tries again by itself after a cut, but not after a refusal.
      if (source?.readyState === EventSource.CLOSED) later = setTimeout(retry, PATIENCE_MS);
    };
    for (const [name, handle] of Object.entries(handlers))
      source.addEventListener(name, (event) => handle(JSON.parse(event.data), source));
  };
  const retry = async () => {
    try {
      const answer = await fetch(location.href, { redirect: "manual" });
      if (answer.type === "opaqueredirect") { location.reload(); return; } // signed out
    } catch { /* nobody answers yet */ }
    open();
  };

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { close(); told("hidden"); } else open();
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => { if (event.persisted) open(); });
  if (!document.hidden) open();
  return close;
}
