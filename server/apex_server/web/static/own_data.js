// A person's say over their own data: what they allow, a copy of everything, and the end of the account.

import { api } from "./session.js";
import { proving } from "./security.js";

const POLL_MILLISECONDS = 1000;
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

export async function showOwnData() {
  showConsents(await api("GET", "/api/consents"));
  showEnd(await api("GET", "/api/privacy/deletion"));
  await showCopy();
}

export const ownDataActions = {
  "consent-give": async (button) => {
    const { consent: kind, version, days } = button.closest("[data-consent]").dataset;
    showConsents(await proving("PUT", "/api/consents", { kind, given: true, version, ...(days && { days: Number(days) }) }));
  },
  "consent-withdraw": async (button) => {
    const { consent: kind } = button.closest("[data-consent]").dataset;
    showConsents(await api("PUT", "/api/consents", { kind, given: false }));
  },
  "copy-make": async () => {
    await proving("POST", "/api/privacy/export");
    await showCopy();
  },
  "copy-download": async (button) => {
    const file = await proving("GET", `/api/privacy/exports/${button.dataset.copy}/file`);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(file);
    link.download = `apex-data-${new Date().toISOString().slice(0, 10)}.zip`;
    link.click();
    URL.revokeObjectURL(link.href);
  },
  "end-ask": async () => {
    if (!confirm("Have your account erased, with everything in it? Until the day comes you can keep it after all.")) return;
    showEnd(await proving("POST", "/api/privacy/deletion"));
  },
  "end-cancel": async () => {
    await api("DELETE", "/api/privacy/deletion");
    showEnd({});
  },
};

function showConsents({ consents }) {
  for (const { kind, given, version, text_version: today, given_at: since, expires_at: until } of consents) {
    const row = document.querySelector(`[data-consent="${kind}"]`);
    if (!row) continue;
    const standing = until ? `Allowed until ${on(until)}` : `Allowed since ${on(since)}`;
    const isOutdated = given && version !== today;
    stand(row, given ? standing + (isOutdated ? ", by an earlier text that said less" : "") : "Not allowed");
    offer(row, given && "consent-withdraw", (!given || isOutdated) && "consent-give");
  }
}

// Looks again and again while a copy is being made.
async function showCopy() {
  const row = document.querySelector("[data-copies]");
  const [newest] = await api("GET", "/api/privacy/exports");
  if (newest?.state === "waiting") {
    stand(row, `Being made: ${Math.round(newest.progress * 100)} %`);
    offer(row);
    await new Promise((done) => setTimeout(done, POLL_MILLISECONDS));
    return showCopy();
  }
  const isReady = newest?.state === "ready";
  stand(row, isReady ? `Made ${on(newest.ready_at)}, here until ${on(newest.expires_at)}` : "");
  offer(row, "copy-make", isReady && "copy-download");
  row.querySelector('[data-action="copy-download"]').dataset.copy = newest?.id ?? "";
}

function showEnd({ erase_at: at }) {
  const row = document.querySelector("[data-end]");
  stand(row, at ? `Erased after ${on(at)}. Until then everything works, and you can keep it.` : "");
  offer(row, at ? "end-cancel" : "end-ask");
}

function stand(row, words) {
  const place = row.querySelector("[data-standing]");
  place.textContent = words;
  place.hidden = !words;
}

function offer(row, ...actions) {
  for (const button of row.querySelectorAll("button")) button.hidden = !actions.includes(button.dataset.action);
}

function on(instant) {
  return day.format(new Date(instant));
}
