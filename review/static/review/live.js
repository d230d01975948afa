// The live feed in a page: say `data-live-topic="conversation.12"` on an element, and listen on <body> for
// `live:conversation` or `live:dashboard` (detail.topic). <html data-live-state> is "connected" or "reconnecting";
// an element with `data-live-status` shows its own `data-reconnecting` or `data-refused` text when there is need.
(() => {
  "use strict";

  const REFUSED = [4401, 4403];
  const SILENCE_MS = 75_000; // the server's heart beats every 30 s
  const SHORTEST_PAUSE_MS = 500;
  const LONGEST_PAUSE_MS = 15_000;
  // No page needs telling more often; what comes in between is told at the end of the interval.
  const INTERVAL_MS = { conversation: 150, dashboard: 1_500, reviews: 500 };

  let socket = null;
  let interrupted = false; // the server is there, its database is not
  let pause = SHORTEST_PAUSE_MS;
  let silence = 0;
  let asked = new Set();
  let answered = new Set();
  const timers = new Map();
  const toldAt = new Map();
  const behind = new Set();

  const topicsInPage = () =>
    new Set([...document.querySelectorAll("[data-live-topic]")].map((element) => element.dataset.liveTopic));

  const kind = (topic) => topic.split(".")[0];

  function show(state) {
    document.documentElement.dataset.liveState = state;
    for (const element of document.querySelectorAll("[data-live-status]")) {
      const text = element.dataset[state] || "";
      if (element.textContent !== text) element.textContent = text;
    }
  }

  const showConnection = () =>
    show(socket?.readyState === WebSocket.OPEN && !interrupted ? "connected" : "reconnecting");

  function tell(topic) {
    if (timers.has(topic)) return;
    const interval = INTERVAL_MS[kind(topic)] ?? 0;
    const wait = Math.max(0, (toldAt.get(topic) ?? -Infinity) + interval - Date.now());
    timers.set(topic, setTimeout(() => dispatch(topic), wait));
  }

  function dispatch(topic) {
    timers.delete(topic);
    if (document.hidden) return; // told again, with all others, as soon as somebody looks
    if (isBeingRenewed(topic)) {
      behind.add(topic); // its answer may be older than this, and what htmx queues on an element goes with the element
      return;
    }
    toldAt.set(topic, Date.now());
    document.body.dispatchEvent(new CustomEvent(`live:${kind(topic)}`, { detail: { topic }, bubbles: true }));
  }

  // Asked for, or put in so lately that htmx has not begun to listen on its behalf: it does when it has settled.
  const isBeingRenewed = (topic) =>
    document.querySelector(
      `[data-live-topic="${CSS.escape(topic)}"]:is(.htmx-request, .htmx-settling, .htmx-settling *)`,
    ) !== null;

  function catchUp() {
    const topics = [...behind];
    behind.clear();
    topics.forEach(tell);
  }

  const tellAll = () => topicsInPage().forEach(tell);

  const equal = (one, other) => one.size === other.size && [...one].every((topic) => other.has(topic));

  function watch() {
    const topics = topicsInPage();
    if (socket?.readyState !== WebSocket.OPEN || equal(topics, asked)) return;
    asked = topics;
    socket.send(JSON.stringify({ watch: [...topics] }));
  }

  function hear({ data }) {
    expectMore();
    const said = JSON.parse(data);
    if (said.interrupted || said.resync) {
      interrupted = Boolean(said.interrupted);
      showConnection();
    }
    if (said.resync) tellAll();
    if (said.changed) said.changed.forEach(tell);
    if (said.watching) {
      // What changed between the making of the page and this moment, nobody has told.
      said.watching.filter((topic) => !answered.has(topic)).forEach(tell);
      answered = new Set(said.watching);
    }
  }

  function expectMore() {
    clearTimeout(silence);
    silence = setTimeout(() => socket?.close(), SILENCE_MS);
  }

  function opened() {
    pause = SHORTEST_PAUSE_MS;
    asked = answered = new Set();
    interrupted = false;
    showConnection();
    expectMore();
    watch();
  }

  function closed({ code }) {
    clearTimeout(silence);
    socket = null;
    if (REFUSED.includes(code)) {
      show("refused");
      return;
    }
    show("reconnecting");
    setTimeout(connect, pause * (0.5 + Math.random()));
    pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
  }

  function connect() {
    if (socket) return;
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    socket = new WebSocket(`${scheme}//${location.host}/ws/live/`);
    socket.addEventListener("open", opened);
    socket.addEventListener("message", hear);
    socket.addEventListener("close", closed);
  }

  // A fragment that could not be fetched is asked for again: the page must not stay behind.
  function retryLater({ detail }) {
    if (detail.xhr?.status >= 400 && detail.xhr.status < 500) return;
    show("reconnecting");
    setTimeout(() => {
      showConnection();
      tellAll();
    }, 1_000 + 2_000 * Math.random());
  }

  document.addEventListener("DOMContentLoaded", () => {
    if (topicsInPage().size === 0 && !document.querySelector("[data-live-status]")) return;
    document.body.addEventListener("htmx:afterSettle", () => (watch(), catchUp()));
    document.body.addEventListener("htmx:afterRequest", catchUp);
    for (const failure of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
      document.body.addEventListener(failure, retryLater);
    }
    document.addEventListener("visibilitychange", () => document.hidden || tellAll());
    window.addEventListener("online", connect);
    connect();
  });
})();
