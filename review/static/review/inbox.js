// The review inbox: time that runs, items that are claimed by working on them, decisions that are opened before they are
// made, rows that stay selected. What somebody types is theirs: no refresh touches it.
(() => {
  "use strict";

  const PASSED_ON = [409, 422];
  const RENEWED_MS = 60_000;
  const SHORT_TOAST_MS = 8_000;
  const DAY_S = 24 * 3600;
  const byId = (id) => document.getElementById(id);
  const item = byId("item");
  const standing = () => byId("item-standing");

  function put(element, words) {
    if (element && element.textContent !== words) element.textContent = words;
  }

  // --- time ----------------------------------------------------------------------------------------------------

  const skew = Date.parse(byId("main").dataset.now) - Date.now();

  function clock(seconds) {
    const two = (number) => String(number).padStart(2, "0");
    const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
    return `${hours ? `${hours}:${two(minutes)}` : minutes}:${two(seconds % 60)}`;
  }

  function count(time) {
    const left = Math.round((Date.parse(time.dateTime) - Date.now() - skew) / 1000);
    const due = time.closest(".due");
    if (Math.abs(left) < DAY_S) put(time, clock(due ? Math.abs(left) : Math.max(0, left)));
    if (!due) return;
    due.classList.toggle("due-over", left <= 0);
    put(due.querySelector(".due-word"), left <= 0 ? time.dataset.over : "");
  }

  // --- fragments -----------------------------------------------------------------------------------------------

  function beforeSwap({ detail }) {
    if (PASSED_ON.includes(detail.xhr.status)) Object.assign(detail, { shouldSwap: true, isError: false });
  }

  function follow() {
    document.querySelectorAll("[data-countdown]").forEach(count);
    if (!standing()) return;
    const { open, kept } = standing().dataset;
    for (const button of document.querySelectorAll("[data-decides]")) button.disabled = !open || Boolean(kept);
  }

  // --- a decision is opened, then made -------------------------------------------------------------------------

  const openers = () => [...document.querySelectorAll("#item [data-act]")];

  function open(act) {
    for (const opener of openers()) {
      const isThis = opener.dataset.act === act;
      opener.setAttribute("aria-expanded", String(isThis));
      byId(opener.dataset.act).hidden = !isThis;
    }
    const form = act && byId(act);
    if (!form) return;
    form.scrollIntoView({ block: "nearest" });
    form.querySelector("[data-first]")?.focus();
    work();
  }

  function leave() {
    const opener = openers().find((each) => each.getAttribute("aria-expanded") === "true");
    open("");
    opener?.focus();
  }

  // --- whoever works on an item has claimed it -----------------------------------------------------------------

  let workedAt = 0;

  function work() {
    const { open: isOpen, kept } = standing().dataset;
    if (!item.dataset.claim || !isOpen || kept || Date.now() - workedAt < RENEWED_MS) return;
    workedAt = Date.now();
    htmx.ajax("POST", item.dataset.claim, { source: "#item", swap: "none" });
  }

  // --- rows that are selected ----------------------------------------------------------------------------------

  const bar = byId("chosen-bar");
  const chosen = new Set();

  function keepChosen() {
    for (const box of document.querySelectorAll("[data-select]")) box.checked = chosen.has(box.value);
  }

  function showChosen() {
    bar.hidden = chosen.size === 0;
    if (bar.hidden) return bar.replaceChildren();
    const address = new URL(bar.dataset.address, location);
    for (const number of chosen) address.searchParams.append("item", number);
    htmx.ajax("GET", address.pathname + address.search, { source: "#chosen-bar", target: "#chosen-bar", swap: "innerHTML" });
  }

  function choose(box) {
    if (box.checked) chosen.add(box.value);
    else chosen.delete(box.value);
    showChosen();
  }

  function forgetChosen() {
    chosen.clear();
    keepChosen();
    showChosen();
  }

  // -------------------------------------------------------------------------------------------------------------

  function clicked({ target }) {
    const opener = target.closest("#item [data-act]");
    if (opener) open(opener.getAttribute("aria-expanded") === "true" ? "" : opener.dataset.act);
    if (target.closest("[data-leave]")) leave();
    if (target.closest("[data-forget]")) forgetChosen();
    target.closest("[data-close-toast]")?.closest(".toast").remove();
  }

  function typed({ target }) {
    if (target.matches("[data-select]")) choose(target);
    else if (target.closest("#item form")) work();
  }

  document.body.addEventListener("htmx:beforeSwap", beforeSwap);
  document.body.addEventListener("htmx:afterSettle", () => (keepChosen(), follow()));
  document.body.addEventListener("zupa:leave", () => item && leave());
  document.addEventListener("click", clicked);
  document.addEventListener("input", typed);
  setInterval(follow, 1_000);
  setTimeout(() => document.querySelectorAll(".toast-success").forEach((toast) => toast.remove()), SHORT_TOAST_MS);
  keepChosen();
  follow();
})();
