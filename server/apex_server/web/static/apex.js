// The coach's page: what happens on clicks and in forms. The page itself comes from the server; see live.js for updates.

import { api, hasSession, renew, signOut, wordsOf } from "./session.js";
import { followLive, refresh } from "./live.js";
import { linkSubmissions, openLink } from "./links.js";
import { messageSubmissions, noteWhatIsSeen } from "./messages.js";
import { ownDataActions, showOwnData } from "./own_data.js";
import { securityActions, securitySubmissions } from "./security.js";
import { nameOfBrowser, offerPasskeys, signInActions, signInSubmissions } from "./signin.js";
import { showTimes } from "./times.js";

const actions = {
  "sign-out": () => signOut(),
  "settle": (button) =>
    working(button, async () => {
      const { url, path, client, stamp } = button.dataset;
      await api("POST", url, { path, client_id: client, stamp });
      button.closest("[popover]").hidePopover();
      await refresh();
      toast("Settled. It reaches every device with its next sync.");
    }),
  "dismiss": (button) =>
    working(button, async () => {
      await api("PUT", button.dataset.url, {});
      await refresh();
      toast("Put aside. The athlete does not read it.");
    }),
  "edit": (button) => {
    const form = document.getElementById(button.getAttribute("aria-controls"));
    form.hidden = !form.hidden;
    for (const one of document.querySelectorAll(`[aria-controls="${form.id}"][aria-expanded]`))
      one.setAttribute("aria-expanded", String(!form.hidden));
    if (!form.hidden) form.querySelector("textarea").focus();
  },
  "approve": (button) =>
    working(button, async () => {
      await api("POST", button.dataset.url, {});
      await refresh();
      toast("Approved and sent.");
    }),
};

const submissions = {
  ...linkSubmissions,
  ...messageSubmissions,
  ...signInSubmissions,
  ...securitySubmissions,
  "review": async (form) => {
    const box = form.elements.coach_feedback;
    await api("POST", form.dataset.url, { coach_feedback: box.value.trim() });
    box.defaultValue = box.value;
    await refresh();
    toast("Sent. It is on their devices with the next sync.");
  },
  "approve": async (form) => {
    const recommendations = form.elements.recommendations.value.split("\n").map((line) => line.trim());
    await api("POST", form.dataset.url, {
      summary: form.elements.summary.value.trim(),
      recommendations: recommendations.filter(Boolean),
    });
    await refresh();
    toast("Approved and sent in your words.");
  },
  "invite": async (form) => {
    const email = form.elements.email.value.trim();
    const invite = await api("POST", "/api/invites", email ? { email } : {});
    const box = form.closest("[popover]");
    box.querySelector("[data-invite-code]").textContent = invite.code;
    box.querySelector("[data-invite-link]").textContent = new URL(invite.link, location.origin).href;
    for (const part of box.querySelectorAll("[data-invite-code], [data-invite-hint]")) part.hidden = false;
    for (const words of box.querySelectorAll("[data-invite-letter]"))
      words.hidden = words.dataset.inviteLetter !== invite.letter;
  },
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (!button) return;
  const { action } = button.dataset;
  if (actions[action]) actions[action](button);
  const more = securityActions[action] ?? signInActions[action] ?? ownDataActions[action];
  if (more) working(button, () => more(button), complainIn(button.closest("form")));
});

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-action]");
  if (!form) return;
  event.preventDefault();
  const submit = form.querySelector('[type="submit"]');
  const place = form.querySelector(".form-error");
  if (place) place.hidden = true;
  working(submit, () => submissions[form.dataset.action](form), complainIn(form));
});

function complainIn(form) {
  const place = form?.querySelector(".form-error");
  if (!place) return toast;
  return (words) => {
    place.textContent = words;
    place.hidden = false;
  };
}

document.addEventListener("input", (event) => {
  if (event.target.dataset.action !== "find") return;
  const wanted = event.target.value.trim().toLowerCase();
  for (const row of document.querySelectorAll("[data-name]")) row.hidden = !row.dataset.name.includes(wanted);
});

// A popover opens beside the button that opens it, inside the window, and scrolls with the page.
document.addEventListener("toggle", (event) => {
  const box = event.target;
  if (!box.matches?.("[popover]") || event.newState !== "open") return;
  const anchors = [...document.querySelectorAll(`[popovertarget="${box.id}"]`)];
  const anchor = anchors.find((one) => one === opener) ?? anchors[0];
  if (!anchor) return;
  const at = anchor.getBoundingClientRect();
  const left = Math.max(8, Math.min(at.left - 12, document.documentElement.clientWidth - box.offsetWidth - 8));
  const below = at.bottom + 6;
  const top = below + box.offsetHeight > innerHeight - 8 ? Math.max(60, at.top - box.offsetHeight - 6) : below;
  box.style.left = `${left + scrollX}px`;
  box.style.top = `${top + scrollY}px`;
}, true);

let opener = null;
document.addEventListener("pointerdown", (event) => (opener = event.target.closest("[popovertarget]")), true);
document.addEventListener("keydown", (event) => (opener = event.target.closest?.("[popovertarget]") ?? opener), true);
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});

document.addEventListener("apex:say", (event) => toast(event.detail));

async function working(button, work, complain = toast) {
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  try {
    await work();
  } catch (error) {
    complain(wordsOf(error));
  } finally {
    button.disabled = false;
    button.removeAttribute("aria-busy");
  }
}

let hiding;
function toast(words) {
  const box = document.getElementById("toast");
  box.textContent = words;
  box.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => (box.hidden = true), 6000);
}

// Whoever comes back with a session that only needs a new access token is let in without typing anything.
async function resume(page) {
  const tried = Number(sessionStorage.getItem("apex resumed") ?? 0);
  if (!hasSession() || Date.now() - tried < 10_000) return;
  sessionStorage.setItem("apex resumed", String(Date.now()));
  const note = document.querySelector("[data-resuming]");
  note.hidden = false;
  if (await renew()) location.replace(page.dataset.target);
  else note.hidden = true;
}

showTimes(document);
const link = document.querySelector('[data-page="link"]');
if (link) openLink(link);
const signIn = document.querySelector('[data-page="sign-in"]');
document.body.dataset.browser = nameOfBrowser();
const withPasskeys = document.querySelector("[data-passkeys-at]");
if (withPasskeys) offerPasskeys(withPasskeys);
if (signIn) resume(signIn);
else if (document.querySelector("[data-own-data]")) showOwnData().catch((error) => toast(wordsOf(error)));
else if (document.querySelector("[data-live-page]")) {
  followLive();
  noteWhatIsSeen();
}
