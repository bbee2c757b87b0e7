// The pages that links in mails open. The token stands behind the #, and leaves the address bar at once: whoever looks
// over a shoulder, or into the history later, finds nothing that works.

import { api } from "./session.js";

let token = "";

export const linkSubmissions = {
  "verify-email": (form) => settle(form, "/api/auth/verify-email", { token }),
  "forgot-password": (form) => settle(form, "/api/auth/forgot-password", { email: form.elements.email.value }),
  "reset-password": (form) => settle(form, "/api/auth/reset-password", { token, password: form.elements.password.value }),
  "undo-email-change": (form) => settle(form, "/api/auth/undo-email-change", { token }),
  "stop-messages": (form) => settle(form, `/api/consents/messages/stop/${encodeURIComponent(token)}`),
};

export function openLink(page) {
  if (!("needsToken" in page.dataset)) return;
  token = location.hash.slice(1);
  if (token) history.replaceState(null, "", location.pathname);
  page.querySelector("form").hidden = !token;
  page.querySelector("[data-no-token]").hidden = Boolean(token);
}

async function settle(form, address, body) {
  await api("POST", address, body);
  const done = form.parentElement.querySelector("[data-done]");
  form.hidden = true;
  done.hidden = false;
  done.focus();
}
