// Brings the page's scripts in after its first frame: what is there to be read does not wait for
// them. Links and forms do what they do without scripts until then.
(() => {
  const { base, files } = document.currentScript.dataset;
  let begun = false;

  function script(path) {
    const made = document.createElement("script");
    if (path.startsWith("js/")) made.type = "module";
    made.async = false; // they run in the order in which they stand there
    made.src = `${base}/${path}`;
    return made;
  }

  function style(path) {
    const made = document.createElement("link");
    made.rel = "stylesheet";
    made.href = `${base}/${path}`;
    return made;
  }

  function bring() {
    if (begun) return;
    begun = true;
    const paths = files.split(" ").filter(Boolean);
    document.head.append(...paths.map((path) => (path.endsWith(".css") ? style : script)(path)));
  }

  const soon = () => {
    try {
      // Told when the frame has been shown: until then the scripts would compete with it.
      new PerformanceObserver((_, watcher) => { watcher.disconnect(); bring(); }).observe({ type: "paint", buffered: true });
    } catch { bring(); }
    setTimeout(bring, 1000); // a tab in the background has no frames
  };
  // After `load`: before that htmx waits for an event that has been already.
  addEventListener("load", soon);
})();
