// Keeps the page up to date: hints come over server-sent events, the page is fetched again and what differs is changed
// in place. A hint that gets lost costs time only: every reconnection, and every return to the tab, looks again.

import { morph } from "./morph.js";
import { renew, toSignIn } from "./session.js";
import { showTimes } from "./times.js";

const RETRY_MILLISECONDS_MIN = 500;
const RETRY_MILLISECONDS_MAX = 15_000;
const RENEW_MILLISECONDS = 10 * 60_000; // Access tokens hold for a quarter of an hour.
const HIGHLIGHT_MILLISECONDS = 6000;
const END_PIXELS = 4; // Zoomed pages scroll by fractions of a pixel, and stop short of the end.

const policy = window.trustedTypes?.createPolicy("apex", { createHTML: (html) => html });

let source = null;
let attempt = 0;
let fetching = null;
let again = false;

export function followLive() {
  connect();
  setInterval(renew, RENEW_MILLISECONDS);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "visible") return source.close(); // Browsers allow six streams to one server.
    connect();
    refresh();
  });
  addEventListener("online", () => {
    connect();
    refresh();
  });
  addEventListener("offline", () => say("reconnecting"));
  addEventListener("pagehide", () => source?.close());
  addEventListener("pageshow", (event) => event.persisted && connect());
}

// Fetches the page's main part and changes what differs; calls that come meanwhile share one more round.
export function refresh() {
  if (fetching) {
    again = true;
    return fetching;
  }
  fetching = fetchAndShow().finally(() => {
    fetching = null;
    if (again) {
      again = false;
      return refresh();
    }
  });
  return fetching;
}

function connect() {
  source?.close();
  source = new EventSource("/api/sync/events");
  source.onopen = () => {
    const missed = attempt > 0;
    attempt = 0;
    say("live");
    if (missed) refresh();
  };
  source.addEventListener("hint", (event) => {
    const watched = document.querySelector("[data-live-page]").dataset.livePage;
    if (watched === "all" || JSON.parse(event.data).scope.includes(watched)) refresh();
  });
  source.onerror = retry;
}

async function retry() {
  say("reconnecting");
  source.close();
  attempt += 1;
  const longest = Math.min(RETRY_MILLISECONDS_MAX, RETRY_MILLISECONDS_MIN * 2 ** Math.min(attempt, 6));
  await new Promise((done) => setTimeout(done, longest * (0.5 + Math.random() / 2)));
  if (source.readyState !== EventSource.CLOSED || document.visibilityState !== "visible") return;
  if (attempt > 1 || !navigator.onLine) await renew();
  connect();
}

async function fetchAndShow() {
  const html = await fetchMain();
  if (html === null) return;
  const parsed = new DOMParser().parseFromString(policy ? policy.createHTML(html) : html, "text/html");
  const next = parsed.getElementById("main");
  if (!next) return;
  const atTheirEnd = [...document.querySelectorAll(".messages")].filter(isAtEnd);
  const changed = morph(document.getElementById("main"), next);
  for (const list of atTheirEnd) list.scrollTop = list.scrollHeight;
  showTimes(document);
  highlight(changed);
}

// Whoever scrolled back to read is left there.
function isAtEnd(list) {
  return list.scrollTop + list.clientHeight >= list.scrollHeight - END_PIXELS;
}

async function fetchMain(renewed = false) {
  let answer;
  try {
    answer = await fetch(location.href, { headers: { "X-Apex-Fragment": "main" }, credentials: "same-origin" });
  } catch {
    say("reconnecting");
    return null;
  }
  if (answer.status === 401) {
    if (!renewed && (await renew())) return fetchMain(true);
    toSignIn();
    return null;
  }
  return answer.ok ? answer.text() : null;
}

function highlight(changed) {
  const labels = new Set();
  for (const [element, how] of changed) {
    element.classList.remove("is-new", "is-changed");
    void element.offsetWidth; // Lets the animation begin anew.
    element.classList.add(how);
    setTimeout(() => element.classList.remove(how), HIGHLIGHT_MILLISECONDS);
    const label = element.closest("[data-label]")?.dataset.label;
    if (label) labels.add(label);
  }
  if (labels.size) document.getElementById("announce").textContent = `Updated: ${[...labels].join("; ")}`;
}

function say(state) {
  const pill = document.getElementById("live");
  if (!pill || pill.dataset.state === state) return;
  pill.dataset.state = state;
  pill.querySelector("[data-live-word]").textContent = state;
}
