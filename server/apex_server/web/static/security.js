// The page on which somebody looks after how they sign in. Every change goes through the API; where that wants a recent
// sign-in, the page asks for the password and does it again.

import { api, Refusal, wordsOf } from "./session.js";
import { createPasskey, getPasskey } from "./passkeys.js";

const dialog = (name) => document.getElementById(name);
let renamed = null;
let proven = null;

export const securityActions = {
  "close": (button) => button.closest("dialog").close(),
  "password-change": () => opened("password"),
  "email-change": () => opened("email"),
  "email-verify": async (button) => {
    await proving("POST", "/api/auth/resend-verification");
    button.textContent = "On its way";
  },
  "totp-on": async () => {
    const offer = await proving("POST", "/api/auth/mfa/totp");
    draw(document.querySelector("[data-qr]"), offer.qr);
    document.querySelector("[data-secret]").textContent = offer.secret.match(/.{1,4}/g).join(" ");
    opened("totp");
  },
  "totp-off": async () => {
    if (!confirm("Turn the authenticator app off? Your password alone will then sign in, unless a phone is set up.")) return;
    await proving("DELETE", "/api/auth/mfa/totp");
    location.reload();
  },
  "phone-on": () => {
    for (const form of dialog("phone").querySelectorAll("form")) form.hidden = form.dataset.action !== "phone-offer";
    opened("phone");
  },
  "phone-off": async () => {
    if (!confirm("Remove this phone? It gets no more codes.")) return;
    await proving("DELETE", "/api/auth/mfa/phone");
    location.reload();
  },
  "codes-new": async () => {
    if (!confirm("Make new recovery codes? The old ones stop working.")) return;
    showCodes((await proving("POST", "/api/auth/mfa/recovery_codes")).recovery_codes);
  },
  "codes-kept": () => location.reload(),
  "codes-copy": async (button) => {
    const codes = [...document.querySelectorAll("[data-codes] li")].map((each) => each.textContent);
    await navigator.clipboard.writeText(codes.join("\n"));
    button.textContent = "Copied";
  },
  "passkey-add": async () => {
    const { public_key: options } = await proving("POST", "/api/auth/passkeys/options");
    const credential = await createPasskey(options);
    await proving("POST", "/api/auth/passkeys", { credential, name: document.body.dataset.browser });
    location.reload();
  },
  "prove-passkey": async () => {
    const { public_key: options } = await api("POST", "/api/auth/login/passkey/options");
    await api("POST", "/api/auth/passkeys/prove", { credential: await getPasskey(options) });
    goOn();
  },
  "passkey-rename": (button) => {
    const row = button.closest("[data-passkey]");
    renamed = row.dataset.passkey;
    const form = dialog("passkey-name").querySelector("form");
    form.elements.name.value = row.querySelector("h3").textContent;
    opened("passkey-name");
    form.elements.name.select();
  },
  "passkey-remove": async (button) => {
    if (!confirm("Remove this passkey? It opens nothing from now on; your password still does.")) return;
    await proving("DELETE", `/api/auth/passkeys/${button.closest("[data-passkey]").dataset.passkey}`);
    location.reload();
  },
  "device-remove": async (button) => {
    if (!confirm("Remove this device? It is signed out at once.")) return;
    await proving("DELETE", `/api/devices/${button.closest("[data-device]").dataset.device}`);
    location.reload();
  },
  "everywhere": async () => {
    if (!confirm("Sign out on all devices, this one included?")) return;
    await proving("POST", "/api/auth/logout?everywhere=true");
    location.assign("/");
  },
};

export const securitySubmissions = {
  "prove": async (form) => {
    const { password, code } = form.elements;
    const typed = code.value.trim();
    const method = /^[0-9 ]{6,8}$/.test(typed) ? "totp" : "recovery_code";
    try {
      await api("POST", "/api/auth/reauthenticate", { password: password.value, ...(typed && { code: typed, method }) });
    } catch (error) {
      if (!(error instanceof Refusal) || error.problem.code !== "second_factor_needed") throw error;
      form.querySelector("[data-code]").hidden = false;
      code.required = true;
      code.focus();
      if (typed) throw error;
      return;
    }
    goOn();
  },
  "password-save": async (form) => {
    const { current, password } = form.elements;
    const body = { current_password: current.value, new_password: password.value };
    await proving("POST", "/api/auth/change-password", body);
    location.reload();
  },
  "email-save": async (form) => {
    await proving("POST", "/api/auth/change-email", { email: form.elements.email.value });
    dialog("email").close();
    say("Look into your new mailbox: the link is on its way.");
  },
  "totp-confirm": async (form) => {
    const { recovery_codes: codes } = await proving("POST", "/api/auth/mfa/totp/confirm", { code: form.elements.code.value });
    finish("totp", codes);
  },
  "phone-offer": async (form) => {
    await proving("PUT", "/api/auth/mfa/phone", { number: form.elements.number.value });
    const next = dialog("phone").querySelector('[data-action="phone-confirm"]');
    form.hidden = true;
    next.hidden = false;
    next.elements.code.focus();
  },
  "phone-confirm": async (form) => {
    const { recovery_codes: codes } = await proving("POST", "/api/auth/mfa/phone/confirm", { code: form.elements.code.value });
    finish("phone", codes);
  },
  "passkey-name": async (form) => {
    await proving("PATCH", `/api/auth/passkeys/${renamed}`, { name: form.elements.name.value });
    location.reload();
  },
};

export async function proving(method, address, body) {
  try {
    return await api(method, address, body);
  } catch (error) {
    if (!(error instanceof Refusal) || error.problem.code !== "sign_in_again") throw error;
  }
  await asked();
  return api(method, address, body);
}

function goOn() {
  const done = proven;
  proven = null;
  dialog("prove").close();
  done?.resolve();
}

function asked() {
  return new Promise((resolve, reject) => {
    proven = { resolve };
    const box = opened("prove");
    box.addEventListener("close", () => proven && reject(new Refusal(0, { title: "Nothing was changed." })), { once: true });
  });
}

function say(words) {
  document.dispatchEvent(new CustomEvent("apex:say", { detail: words }));
}

function opened(name) {
  const box = dialog(name);
  for (const form of box.querySelectorAll("form")) {
    form.reset();
    form.querySelector(".form-error").hidden = true;
  }
  box.showModal();
  return box;
}

function finish(name, codes) {
  dialog(name).close();
  if (codes.length) showCodes(codes);
  else location.reload();
}

function showCodes(codes) {
  const list = document.querySelector("[data-codes]");
  list.replaceChildren(
    ...codes.map((code) => {
      const row = document.createElement("li");
      row.textContent = code;
      return row;
    }),
  );
  const box = dialog("codes");
  box.addEventListener("close", () => location.reload(), { once: true });
  box.showModal();
}

function draw(place, { modules, path }) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${modules} ${modules}`);
  svg.setAttribute("shape-rendering", "crispEdges");
  const shape = document.createElementNS("http://www.w3.org/2000/svg", "path");
  shape.setAttribute("d", path);
  svg.append(shape);
  place.replaceChildren(svg);
}

export { wordsOf };
