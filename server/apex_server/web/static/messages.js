// The thread on an athlete's page: sending, and telling the other side what was really looked at.

import { api } from "./session.js";
import { refresh } from "./live.js";

const SEEN_MILLISECONDS = 1000; // Whoever scrolls past has not read.
const IDS_MAX = 200;

export const messageSubmissions = {
  "say": async (form) => {
    const box = form.elements.text;
    // The same words sent again after a failure are the same message.
    if (form.dataset.said !== box.value) Object.assign(form.dataset, { said: box.value, id: crypto.randomUUID() });
    await api("POST", "/api/messages", { id: form.dataset.id, thread_id: form.dataset.thread, text: box.value.trim() });
    box.value = "";
    delete form.dataset.said;
    await refresh();
    toNewest();
  },
};

export function noteWhatIsSeen() {
  toNewest();
  setInterval(async () => {
    if (document.visibilityState !== "visible") return;
    const seen = [...document.querySelectorAll("[data-unread]")].filter(isInView).slice(0, IDS_MAX);
    if (!seen.length) return;
    const ids = [...new Set(seen.map((line) => line.dataset.unread))];
    await api("PUT", "/api/messages/read", { ids }).catch(() => {}); // The next round tries again.
    await refresh();
  }, SEEN_MILLISECONDS);
}

function toNewest() {
  const list = document.querySelector(".messages");
  if (list) list.scrollTop = list.scrollHeight;
}

function isInView(line) {
  const list = line.closest(".messages").getBoundingClientRect();
  const { top, bottom } = line.getBoundingClientRect();
  return bottom > Math.max(list.top, 0) && top < Math.min(list.bottom, innerHeight);
}
