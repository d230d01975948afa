import { element } from "./chat.js";
import { t } from "./texts.js";

const TARGETS = ["llm", "whatsapp", "waha", "http", "stt", "tts", "embeddings"];
const MODES = [
  "latency",
  "error",
  "rate_limit",
  "hang",
  "disconnect_before_accept",
  "disconnect_after_accept",
  "malformed",
];
const TIMED = new Set(["latency", "hang"]);
const REFRESH_MS = 2_000;

const byId = (id) => document.getElementById(id);

export function startFaults() {
  fill(byId("fault-target"), TARGETS, "target");
  fill(byId("fault-mode"), MODES, "mode");
  byId("fault-mode").addEventListener("change", showSeconds);
  byId("fault-rate").addEventListener("input", showRate);
  byId("fault-form").addEventListener("submit", add);
  byId("fault-clear").addEventListener("click", clear);
  byId("faults").addEventListener("toggle", refresh);
  setInterval(() => byId("faults").open && !document.hidden && refresh(), REFRESH_MS);
  showSeconds();
  showRate();
  refresh();
}

function fill(select, names, kind) {
  select.replaceChildren(...names.map((name) => new Option(t(`${kind}.${name}`), name)));
}

function showSeconds() {
  byId("fault-seconds").disabled = !TIMED.has(byId("fault-mode").value);
}

function showRate() {
  byId("fault-rate-shown").textContent = `${byId("fault-rate").value}%`;
}

async function add(event) {
  event.preventDefault();
  const fault = {
    target: byId("fault-target").value,
    mode: byId("fault-mode").value,
    rate: Number(byId("fault-rate").value) / 100,
  };
  const seconds = byId("fault-seconds");
  if (!seconds.disabled && seconds.value !== "") fault.seconds = Number(seconds.value);
  await ask({ method: "POST", body: JSON.stringify(fault) });
}

async function clear() {
  await ask({ method: "DELETE" });
}

async function ask(request) {
  const error = byId("fault-error");
  error.hidden = true;
  try {
    const response = await fetch("/_sim/faults", request);
    if (!response.ok) throw new Error((await response.json()).error.message);
  } catch (failure) {
    error.textContent = failure.message;
    error.hidden = false;
  }
  await refresh();
}

async function refresh() {
  try {
    const { faults } = await (await fetch("/_sim/faults")).json();
    show(faults);
  } catch {
    show([]);
  }
}

function show(faults) {
  const badge = byId("fault-count");
  badge.hidden = !faults.length;
  badge.textContent = faults.length;
  byId("fault-clear").disabled = !faults.length;
  byId("fault-list").replaceChildren(...faults.map(line));
}

function line(fault) {
  const item = element("li");
  const share = fault.rate < 1 ? ` · ${Math.round(fault.rate * 100)}%` : "";
  const seconds = fault.seconds === undefined ? "" : ` · ${fault.seconds}\u00a0s`;
  item.append(
    element("strong", "", t(`target.${fault.target}`)),
    element("span", "", `${t(`mode.${fault.mode}`)}${share}${seconds}`),
    element("span", "quiet", t("fired", { n: fault.fired })),
  );
  return item;
}
