// A conversation in a person's hands: the banner, the composer, and the keys for both. What somebody types is theirs:
// the composer is never swapped, it only follows what the banner says, which rests while one of its forms is open.
(() => {
  "use strict";

  const PASSED_ON = [409, 422];
  const byId = (id) => document.getElementById(id);
  const standing = () => byId("standing");
  const composer = byId("composer");
  const text = byId("reply-text");
  if (!standing()) return;

  // --- fragments ---------------------------------------------------------------------------------------------

  let shown = "";

  function beforeSwap({ detail }) {
    const { target, xhr } = detail;
    if (PASSED_ON.includes(xhr.status)) Object.assign(detail, { shouldSwap: true, isError: false });
    if (target.id !== "standing" || detail.requestConfig.verb !== "get") return;
    if (xhr.responseText === shown || rests(xhr.responseText)) detail.shouldSwap = false;
    else shown = xhr.responseText;
  }

  // A form that somebody fills in stays as long as the owner is who it was opened under.
  const rests = (response) =>
    document.querySelector(".act[open]") && response.includes(`data-epoch="${standing().dataset.epoch}"`);

  const catchUp = () => document.body.dispatchEvent(new CustomEvent("live:conversation", { bubbles: true }));

  // --- the composer follows the banner -----------------------------------------------------------------------

  const skew = composer ? Date.parse(composer.dataset.now) - Date.now() : 0;
  const secondsUntil = (moment) => Math.ceil((Date.parse(moment) - Date.now() - skew) / 1000);

  function clock(seconds) {
    const two = (number) => String(number).padStart(2, "0");
    const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
    return `${hours ? `${hours}:${two(minutes)}` : minutes}:${two(seconds % 60)}`;
  }

  function put(element, words) {
    if (element.textContent !== words) element.textContent = words;
  }

  function follow() {
    for (const time of document.querySelectorAll("#standing [data-countdown]")) {
      const left = secondsUntil(time.dateTime);
      put(time, left > 0 ? clock(left) : time.dataset.over);
    }
    if (text) followWithReply();
  }

  function followWithReply() {
    const { mine, epoch, windowCloses } = standing().dataset;
    const left = windowCloses ? secondsUntil(windowCloses) : Infinity;
    const mayWrite = Boolean(mine) && left > 0;
    byId("reply-epoch").value = epoch;
    byId("reply-fields").disabled = byId("attach-file").disabled = !mayWrite;
    const why = byId("reply-why");
    why.hidden = mayWrite;
    put(why, mayWrite ? "" : mine ? why.dataset.closed : why.dataset.notMine);
    showWindow(mayWrite && left < Infinity, left);
  }

  function showWindow(isCounting, left) {
    const line = byId("window");
    line.hidden = !isCounting;
    if (!isCounting) return;
    put(line.querySelector("span"), line.dataset.open);
    put(line.querySelector("time"), clock(left));
    line.classList.toggle("window-short", left < 3600);
  }

  // --- what is typed stays, until it is said -----------------------------------------------------------------

  let sent = "";
  const draftKey = composer && `zupa.draft.${composer.dataset.conversation}`;

  function keepDraft() {
    try {
      if (text.value) sessionStorage.setItem(draftKey, text.value);
      else sessionStorage.removeItem(draftKey);
    } catch {
      // Without storage a draft lives as long as the page.
    }
  }

  function takeUpDraft() {
    try {
      text.value ||= sessionStorage.getItem(draftKey) ?? "";
    } catch {
      // As above.
    }
  }

  function said() {
    text.value = text.value.startsWith(sent) ? text.value.slice(sent.length).trimStart() : text.value;
    byId("attached").replaceChildren();
    keepDraft();
    toEnd();
  }

  function noted() {
    byId("note").reset();
    toEnd();
  }

  function toEnd() {
    const transcript = byId("transcript");
    transcript.scrollTop = transcript.scrollHeight;
  }

  // --- canned replies: a slash, then part of a shortcut ------------------------------------------------------

  const box = byId("canned-box");
  const options = () => [...box.querySelectorAll("[data-text]")];
  let asked = null;

  function slash() {
    const before = text.value.slice(0, text.selectionStart);
    return /(?:^|\s)\/([\w-]*)$/.exec(before);
  }

  function look() {
    const found = slash();
    if (!found) return closeCanned();
    if (found[1] === asked) return;
    asked = found[1];
    htmx.ajax("GET", text.dataset.canned + encodeURIComponent(asked), { source: "#canned-box", target: "#canned", swap: "innerHTML" }).then(() => {
      box.hidden = asked === null;
      choose(options()[0]);
    });
  }

  function choose(option) {
    for (const other of options()) other.setAttribute("aria-selected", String(other === option));
    option?.scrollIntoView({ block: "nearest" });
    if (option) text.setAttribute("aria-activedescendant", option.id);
    else text.removeAttribute("aria-activedescendant");
  }

  const chosen = () => box.querySelector('[aria-selected="true"]');

  function step(by) {
    const all = options();
    choose(all[(all.indexOf(chosen()) + by + all.length) % all.length]);
  }

  function fill(option) {
    const found = slash();
    if (!found || !option) return;
    const end = text.selectionStart;
    text.setRangeText(option.dataset.text, end - found[1].length - 1, end, "end");
    closeCanned();
    keepDraft();
    text.focus();
  }

  function closeCanned() {
    asked = null;
    box.hidden = true;
    text.removeAttribute("aria-activedescendant");
  }

  // --- keys --------------------------------------------------------------------------------------------------

  const CANNED_KEYS = {
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
    Enter: () => fill(chosen()),
    Tab: () => fill(chosen()),
    Escape: closeCanned,
  };

  function replyKey(event) {
    if (event.isComposing) return;
    const act = !box.hidden && CANNED_KEYS[event.key];
    if (act) {
      event.preventDefault();
      act();
    } else if (event.key === "Enter" && !event.shiftKey && matchMedia("(pointer: fine)").matches) {
      event.preventDefault();
      byId("reply").requestSubmit();
    }
  }

  function pageKey(event) {
    if (event.key === "Escape") closeActs();
  }

  const focusFirst = (act) => act?.querySelector('input[type="text"], input:checked')?.focus();

  function closeActs(except) {
    for (const act of document.querySelectorAll(".act[open]")) {
      if (act === except) continue;
      act.open = false;
      if (act.contains(document.activeElement)) act.querySelector("summary").focus();
    }
  }

  function opened(event) {
    const act = event.target;
    if (!act.classList?.contains("act")) return;
    if (!act.open) return catchUp();
    closeActs(act);
    if (!act.contains(document.activeElement?.closest("input"))) focusFirst(act);
  }

  // --- tabs --------------------------------------------------------------------------------------------------

  function show(tab) {
    for (const other of composer.querySelectorAll('[role="tab"]')) {
      other.setAttribute("aria-selected", String(other === tab));
      byId(other.getAttribute("aria-controls")).hidden = other !== tab;
    }
    byId(tab.getAttribute("aria-controls")).querySelector("textarea").focus();
  }

  function clicked({ target }) {
    const tab = target.closest('#composer [role="tab"]');
    if (tab) show(tab);
    if (target.closest("[data-detach]")) byId("attached").replaceChildren();
    const option = target.closest("#canned [data-text]");
    if (option) fill(option);
    if (!target.closest(".act")) closeActs();
  }

  function uploading({ detail, type }) {
    if (detail.elt.id !== "attach") return;
    const isOn = type === "htmx:beforeRequest";
    byId("reply-send").disabled = isOn;
    composer.classList.toggle("is-uploading", isOn);
    if (!isOn) byId("attach").reset();
  }

  // -----------------------------------------------------------------------------------------------------------

  document.body.addEventListener("htmx:beforeSwap", beforeSwap);
  document.body.addEventListener("htmx:afterSettle", follow);
  document.addEventListener("toggle", opened, true);
  document.addEventListener("click", clicked);
  document.addEventListener("keydown", pageKey);
  setInterval(follow, 1_000);
  follow();
  if (!composer) return;
  document.body.addEventListener("zupa:noted", noted);
  if (!text) return;
  takeUpDraft();
  text.addEventListener("input", () => (keepDraft(), look()));
  text.addEventListener("keydown", replyKey);
  text.addEventListener("blur", () => setTimeout(() => text === document.activeElement || closeCanned(), 200));
  document.body.addEventListener("zupa:said", said);
  document.body.addEventListener("htmx:beforeRequest", (event) => {
    uploading(event);
    if (event.detail.elt.id === "reply") sent = text.value;
  });
  document.body.addEventListener("htmx:afterRequest", uploading);
})();
