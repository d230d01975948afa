import { Chat } from "./chat.js";
import { startFaults } from "./faults.js";
import { HandReply } from "./hand.js";
import { People, avatar } from "./people.js";
import { sampleTexts, t, translatePage } from "./texts.js";

const CHANNELS_RETRY_MS = 2_000;
const READ_AFTER_MS = 300;
const byId = (id) => document.getElementById(id);
const narrow = matchMedia("(max-width: 820px)");
const asked = new URLSearchParams(location.search);

translatePage();
const chat = new Chat({ onRetry: (message) => send(message.text, message.id), onShown: shown });
const people = new People(openChat);
const hand = new HandReply({ onSent: closeSide });
const unread = new Set();
let channels = [];
let feed = null;
let readTimer = null;

function channel() {
  return channels.find((each) => each.slug === byId("channel").value);
}

async function loadChannels() {
  try {
    channels = await (await fetch("/phone/channels")).json();
  } catch {
    channels = [];
  }
  byId("no-channel").hidden = channels.length > 0;
  if (!channels.length) {
    chat.empty.hidden = true;
    setTimeout(loadChannels, CHANNELS_RETRY_MS);
    return;
  }
  const options = channels.map((each) => new Option(each.title, each.slug, false, each.slug === asked.get("channel")));
  byId("channel").replaceChildren(...options);
  byId("channel-section").hidden = channels.length < 2;
  people.choose(asked.get("from") ? { name: asked.get("name"), number: asked.get("from").trim() } : people.current);
}

function openChat() {
  const { slug, title } = channel() ?? {};
  if (!slug) return;
  const { name, number } = people.current;
  byId("chat-title").textContent = title;
  byId("chat-as").textContent = name;
  avatar(byId("chat-avatar"), title);
  document.title = `${name} · ${title}`;
  history.replaceState(null, "", `?${new URLSearchParams({ channel: slug, from: number, name })}`);
  setEnabled(true);
  hand.open(channel(), number);
  unread.clear();
  chat.messages.clear();
  chat.clear();
  listen(new URLSearchParams({ channel: slug, from: number }));
  closeSide();
}

function listen(query) {
  feed?.close();
  feed = new EventSource(`/phone/feed?${query}`);
  feed.onopen = () => banner("");
  feed.onerror = () => banner(t("offline"));
  feed.onmessage = (event) => take(JSON.parse(event.data));
}

function take(event) {
  if (event.type === "snapshot") chat.snapshot(event.messages);
  if (event.type === "message") chat.put(event.message);
  if (event.type === "typing") chat.typing();
}

function banner(text) {
  byId("banner").textContent = text;
  byId("banner").hidden = !text;
}

/** Sends a text, or the same message again when `id` names one. */
async function send(text, id = newId()) {
  const { name, number } = people.current;
  const message = { id, direction: "out", type: "text", text, at: Date.now() / 1000, state: "sending", detail: "" };
  chat.put({ ...message, local: true });
  const body = JSON.stringify({ channel: channel().slug, from: number, name, text, id });
  try {
    await fetch("/_sim/inbound", { method: "POST", body });
  } catch {
    chat.put({ ...message, state: "failed", detail: t("noSimulator"), local: true });
  }
}

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  if (channel().kind === "waha") return `false_${chatId(people.current.number)}_3EB0${hex.slice(0, 18).toUpperCase()}`;
  return channel().kind === "http" ? `msg_${hex}` : `wamid.${hex.toUpperCase()}`;
}

function chatId(number) {
  return number.includes("@") ? number : `${number.replace(/^\+/, "")}@c.us`;
}

/** Blue ticks for the sender, once the message has been on a visible screen. */
function shown(id) {
  unread.add(id);
  clearTimeout(readTimer);
  readTimer = setTimeout(reportRead, READ_AFTER_MS);
}

async function reportRead() {
  if (document.hidden || !unread.size) return;
  const body = JSON.stringify({ channel: channel().slug, from: people.current.number, ids: [...unread] });
  unread.clear();
  await fetch("/phone/read", { method: "POST", body }).catch(() => {});
}

function setEnabled(enabled) {
  byId("text").disabled = byId("send").disabled = !enabled;
  for (const button of byId("samples").children) button.disabled = !enabled;
}

function fitText() {
  const text = byId("text");
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight + 2}px`;
}

function submit() {
  const text = byId("text").value.trim();
  if (!text) return;
  byId("text").value = "";
  fitText();
  send(text);
}

function openSide() {
  byId("side").classList.add("open");
  byId("side").inert = false;
  byId("side-open").setAttribute("aria-expanded", "true");
  byId("side-close").focus();
}

function closeSide() {
  const wasOpen = byId("side").classList.contains("open");
  byId("side").classList.remove("open");
  byId("side").inert = narrow.matches;
  byId("side-open").setAttribute("aria-expanded", "false");
  if (wasOpen) byId("side-open").focus();
}

function drawSamples() {
  const buttons = sampleTexts.map((text) => {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "sample", textContent: text });
    button.dataset.testid = "sample";
    button.addEventListener("click", () => send(text));
    return button;
  });
  byId("samples").replaceChildren(...buttons);
}

byId("compose").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
byId("text").addEventListener("input", fitText);
byId("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  submit();
});
byId("channel").addEventListener("change", openChat);
byId("side-open").addEventListener("click", openSide);
byId("side-close").addEventListener("click", closeSide);
document.addEventListener("keydown", (event) => event.key === "Escape" && closeSide());
document.addEventListener("visibilitychange", reportRead);
narrow.addEventListener("change", closeSide);

drawSamples();
setEnabled(false);
closeSide();
startFaults();
loadChannels();
