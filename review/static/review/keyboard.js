// The console's keys. An element says which key it answers to, `data-key="a"`, and a press is a click on it: nothing
// happens by key that the page does not offer to everybody. Rows (`[data-row]`) are walked through with j and k.
(() => {
  "use strict";

  const keys = document.getElementById("keys");
  const isTyping = (element) => element.closest?.("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");
  const isShown = (element) => element.checkVisibility();
  const links = () => [...document.querySelectorAll("[data-row] a.row")].filter(isShown);
  const here = () => document.activeElement.closest("[data-row]") ?? document.querySelector('[data-row]:has([aria-current="page"])');

  function step(by) {
    const all = links();
    const at = all.indexOf(here()?.querySelector("a.row"));
    const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : at + by];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  }

  function select() {
    const box = here()?.querySelector("[data-select]");
    if (!box) return false;
    box.click();
    return true;
  }

  const focusFirst = (opened) => opened?.querySelector('input[type="text"], input:checked')?.focus();

  function press(key) {
    const element = [...document.querySelectorAll("[data-key]")].find((each) => each.dataset.key === key && isShown(each));
    if (!element || element.disabled) return false;
    if (element.matches("input, textarea")) element.focus();
    else element.click();
    focusFirst(element.closest("details[open]")); // before the next key comes, and not only when it says that it is open
    return true;
  }

  const MOVES = { j: () => (step(1), true), k: () => (step(-1), true), x: select };

  // What is open closes by itself where it listens for this; a field is left.
  function leave(event) {
    if (keys.open) return;
    document.body.dispatchEvent(new CustomEvent("zupa:leave"));
    if (isTyping(event.target)) event.target.blur();
  }

  function pressed(event) {
    if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") return leave(event);
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
    if ((MOVES[event.key] ?? (() => press(event.key)))()) event.preventDefault();
  }

  function showKeys() {
    for (const line of keys.querySelectorAll("[data-needs]")) {
      line.hidden = ![...document.querySelectorAll(line.dataset.needs)].some(isShown);
    }
    keys.showModal();
  }

  // On window: whatever else listens on the page for a key of its own was there first.
  window.addEventListener("keydown", pressed);
  document.querySelector("[data-opens-keys]").addEventListener("click", showKeys);
})();
