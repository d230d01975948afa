// The console around htmx: where the reader looks stays where it is, and what is new is said aloud.
(() => {
  "use strict";

  const AT_END_PX = 48;
  const transcript = document.getElementById("transcript");
  const toNewest = document.getElementById("to-newest");
  const saidLast = document.getElementById("said-last");

  const distanceToEnd = () => transcript.scrollHeight - transcript.scrollTop - transcript.clientHeight;
  const goToEnd = () => (transcript.scrollTop = transcript.scrollHeight);
  const latest = () => document.getElementById("latest");

  let wasAtEnd = true;
  let heightBefore = 0;
  let last = latest()?.dataset.last;
  let swapped = "";

  function beforeSwap(event) {
    const { target, xhr } = event.detail;
    if (!transcript?.contains(target)) return;
    if (target.id === "latest" && xhr.responseText === swapped) event.detail.shouldSwap = false;
    if (target.id === "latest") swapped = xhr.responseText;
    wasAtEnd = distanceToEnd() < AT_END_PX;
    heightBefore = target.id === "latest" ? 0 : transcript.scrollHeight;
  }

  function afterSettle({ detail }) {
    forgetRepeatedRows();
    if (!transcript?.contains(detail.elt)) return;
    if (heightBefore) transcript.scrollTop += transcript.scrollHeight - heightBefore;
    else if (wasAtEnd) goToEnd();
    heightBefore = 0;
    tellNews();
  }

  function tellNews() {
    const { last: newest, say } = latest().dataset;
    if (newest === last) return;
    last = newest;
    saidLast.textContent = say;
    toNewest.hidden = distanceToEnd() < AT_END_PX;
  }

  // A conversation that moved to the top may still stand among the rows that were loaded below.
  function forgetRepeatedRows() {
    const above = new Set([...document.querySelectorAll("#rows [data-row]")].map((row) => row.dataset.row));
    for (const row of document.querySelectorAll("#rows-rest [data-row]")) {
      if (above.has(row.dataset.row)) row.remove();
    }
  }

  // The address keeps the filters, for a reload, a link or the way back.
  function keepFilters({ detail }) {
    if (detail.elt.id !== "filters" || !detail.successful) return;
    const filled = [...new FormData(detail.elt)].filter(([, value]) => value);
    const query = new URLSearchParams(filled).toString();
    history.replaceState(null, "", query ? `?${query}` : location.pathname);
  }

  function countSeconds() {
    for (const seconds of document.querySelectorAll("[data-running-since]")) {
      seconds.textContent = Number(seconds.textContent) + 1;
    }
  }

  document.body.addEventListener("htmx:beforeSwap", beforeSwap);
  document.body.addEventListener("htmx:afterSettle", afterSettle);
  document.body.addEventListener("htmx:afterRequest", keepFilters);
  document.querySelector(".row[aria-current]")?.scrollIntoView({ block: "nearest" });
  setInterval(countSeconds, 1_000);
  if (!transcript) return;
  goToEnd();
  toNewest.addEventListener("click", goToEnd);
  transcript.addEventListener("scroll", () => distanceToEnd() < AT_END_PX && (toNewest.hidden = true), { passive: true });
})();
