import { language, t } from "./texts.js";

const TYPING_MS = 25_000;
const NEAR_END_PX = 120;
const ICONS = { sending: "sending", retrying: "sending", sent: "ticks", read: "ticks", failed: "failed" };
const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" });
const calendar = new Intl.DateTimeFormat(language, { weekday: "long", day: "numeric", month: "long" });

/** The open conversation: messages by id, in the order they were first seen. */
export class Chat {
  constructor({ onRetry, onShown }) {
    this.list = document.getElementById("messages");
    this.scroll = document.getElementById("scroll");
    this.empty = document.getElementById("empty");
    this.status = document.getElementById("chat-status");
    this.onRetry = onRetry;
    this.onShown = onShown;
    this.messages = new Map();
    this.typingBubble = typingBubble();
    this.clear();
  }

  clear() {
    this.messages.clear();
    this.list.replaceChildren();
    this.stopTyping();
    this.empty.hidden = false;
  }

  snapshot(messages) {
    const waiting = [...this.messages.values()].filter((each) => each.local);
    const known = new Set(messages.map((message) => message.id));
    this.clear();
    for (const message of [...messages, ...waiting.filter((each) => !known.has(each.id))]) this.put(message);
    this.toEnd();
  }

  /** Adds the message, or redraws it where it stands. */
  put(message) {
    const follow = this.nearEnd() || message.direction === "out";
    const before = this.list.querySelector(`[data-id="${CSS.escape(message.id)}"]`);
    this.messages.set(message.id, message);
    const item = bubble(message, () => this.onRetry(message));
    if (before) before.replaceWith(item);
    else this.append(item, message);
    if (!before && message.direction === "in") this.stopTyping();
    if (message.direction === "in" && message.state !== "read") this.onShown(message.id);
    if (follow) this.toEnd();
  }

  append(item, message) {
    this.empty.hidden = true;
    const day = new Date(message.at * 1000).toDateString();
    if (this.list.dataset.day !== day || !this.list.childElementCount) this.list.append(dayLine(message.at));
    this.list.dataset.day = day;
    this.list.append(item);
    if (this.typingBubble.isConnected) this.list.append(this.typingBubble);
  }

  typing() {
    clearTimeout(this.typingTimer);
    this.typingTimer = setTimeout(() => this.stopTyping(), TYPING_MS);
    this.status.textContent = t("typing");
    const follow = this.nearEnd();
    this.list.append(this.typingBubble);
    if (follow) this.toEnd();
  }

  stopTyping() {
    clearTimeout(this.typingTimer);
    this.status.textContent = t("online");
    this.typingBubble.remove();
  }

  nearEnd() {
    return this.scroll.scrollHeight - this.scroll.scrollTop - this.scroll.clientHeight < NEAR_END_PX;
  }

  toEnd() {
    this.scroll.scrollTop = this.scroll.scrollHeight;
  }
}

function bubble(message, retry) {
  const item = element("li", `bubble ${message.direction} ${message.state}`);
  item.dataset.id = message.id;
  item.dataset.state = message.state;
  item.dataset.testid = message.direction === "in" ? "bubble-in" : "bubble-out";
  item.append(...content(message), foot(message));
  if (message.state === "failed" || message.state === "retrying") item.append(trouble(message, retry));
  return item;
}

function content(message) {
  const parts = message.media_id || message.media_url ? [attachment(message)] : [];
  if (message.text || !parts.length) parts.push(element("p", "text", message.text || `[${message.type}]`));
  return parts;
}

function attachment(message) {
  if (!message.media_id) return link(message, message.media_url); // elsewhere: the phone's own policy shows nothing of it
  const url = `/phone/media/${encodeURIComponent(message.media_id)}`;
  if (message.type === "audio") return Object.assign(element("audio"), { controls: true, preload: "none", src: url });
  if (message.type === "image" || message.type === "sticker")
    return Object.assign(element("img"), { src: url, alt: message.text || t("attachment") });
  return link(message, url);
}

function link(message, url) {
  const label = `${t("attachment")} (${message.type})`;
  return Object.assign(element("a", "file", label), { href: url, target: "_blank", rel: "noreferrer" });
}

function foot(message) {
  const line = element("span", "foot");
  if (message.by_hand) line.append(element("span", "", `${t("byHand")} ·`));
  line.append(element("time", "", clock.format(new Date(message.at * 1000))));
  if (message.direction === "out") line.append(stateIcon(message.state));
  return line;
}

function stateIcon(state) {
  const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${ICONS[state] ?? "sending"}`);
  icon.setAttribute("role", "img");
  icon.setAttribute("aria-label", t(`state.${state}`));
  icon.append(use);
  return icon;
}

function trouble(message, retry) {
  const line = element("span", "trouble");
  const key = message.state === "failed" ? "refused" : "retrying";
  line.append(element("span", "", t(key, { reason: reason(message.detail) })));
  line.title = message.detail;
  if (message.state === "failed") {
    const button = element("button", "retry", t("retry"));
    button.type = "button";
    button.dataset.testid = "retry";
    button.addEventListener("click", retry);
    line.append(button);
  }
  return line;
}

function reason(detail) {
  const status = /^\d{3}/.exec(detail);
  if (status) return `HTTP ${status[0]}`;
  return detail.startsWith("no answer") ? t("unreachable") : detail;
}

function dayLine(at) {
  const day = new Date(at * 1000);
  const isToday = day.toDateString() === new Date().toDateString();
  return element("li", "day", isToday ? t("today") : calendar.format(day));
}

function typingBubble() {
  const item = element("li", "bubble in typing");
  item.dataset.testid = "typing";
  item.setAttribute("aria-label", t("typing"));
  item.append(element("i"), element("i"), element("i"));
  return item;
}

export function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}
