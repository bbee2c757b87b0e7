// Signing in: the password, then a code where the account wants one; or a passkey and nothing else.

import { api, Refusal } from "./session.js";
import { getPasskey, hasPasskeys } from "./passkeys.js";

let demand = null;

export const signInActions = {
  "switch": (button) => {
    const to = button.closest("form").dataset.action === "log-in" ? "register" : "log-in";
    show(to).querySelector("input").focus();
  },
  "passkey": async () => {
    const { public_key: options } = await api("POST", "/api/auth/login/passkey/options");
    await enter("/api/auth/login/passkey", { credential: await getPasskey(options) });
  },
  "use": (button) => ask(button.dataset.method),
  "send-code": () => sendCode(),
  "start-over": () => location.reload(),
};

export const signInSubmissions = {
  "log-in": async (form) => {
    try {
      await enter("/api/auth/login", { email: form.email.value, password: form.password.value });
    } catch (error) {
      if (!(error instanceof Refusal) || error.problem.code !== "mfa_required") throw error;
      demand = error.problem;
      await ask(demand.methods[0]);
    }
  },
  "register": (form) =>
    enter("/api/auth/register", {
      email: form.email.value,
      password: form.password.value,
      name: form.elements.name.value,
      role: "coach",
    }),
  "second-step": async (form) => {
    const { mfa_token } = demand;
    try {
      await enter("/api/auth/login/mfa", { mfa_token, method: form.dataset.method, code: form.elements.code.value });
    } catch (error) {
      form.elements.code.select();
      throw error;
    }
  },
};

// Passkeys are bound to the name of the server: a page that was opened by another one says where they are.
export function offerPasskeys(page) {
  const isThere = page.dataset.passkeysAt === location.origin;
  for (const part of document.querySelectorAll("[data-if-passkeys]")) part.hidden = !(isThere && hasPasskeys());
  for (const part of document.querySelectorAll("[data-if-elsewhere]")) part.hidden = isThere;
}

export function nameOfBrowser() {
  const agent = navigator.userAgent;
  const browser = agent.match(/(Firefox|Edg|OPR|Chrome|Safari)\//)?.[1] ?? "Browser";
  const system = agent.match(/Android|iPhone|iPad|Windows|Mac OS X|Linux/)?.[0] ?? "";
  const name = { Edg: "Edge", OPR: "Opera" }[browser] ?? browser;
  return system ? `${name} on ${system.replace("Mac OS X", "macOS")}` : name;
}

const device = () => ({ name: nameOfBrowser(), kind: "web" });

async function enter(address, who) {
  await api("POST", address, { ...who, device: device(), token_delivery: "cookie" });
  location.replace(document.querySelector("[data-target]").dataset.target);
}

// Shows one of the page's forms, and no other.
function show(action) {
  const forms = [...document.querySelectorAll(".sign form")];
  for (const form of forms) form.hidden = form.dataset.action !== action;
  return forms.find((form) => !form.hidden);
}

const WORDS = {
  "totp": ["Type the six digits that your authenticator app shows.", "Code", "numeric"],
  "sms": ["Type the six digits that we sent to your phone", "Code", "numeric"],
  "recovery_code": ["Type one of the codes that you kept for the day your phone is gone.", "Recovery code", "text"],
};

async function ask(method) {
  const form = show("second-step");
  const [words, label, keyboard] = WORDS[method];
  form.dataset.method = method;
  form.querySelector("[data-words]").textContent =
    method === "sms" ? `${words} that ends in ${demand.phone_hint.slice(1)}.` : words;
  form.querySelector("[data-label]").textContent = label;
  form.querySelector(".form-error").hidden = true;
  const { code } = form.elements;
  code.value = "";
  code.inputMode = keyboard;
  for (const other of form.querySelectorAll("[data-method]"))
    other.hidden = other.dataset.method === method || !demand.methods.includes(other.dataset.method);
  form.querySelector("[data-again]").hidden = method !== "sms";
  code.focus();
  if (method === "sms") await sendCode();
}

function sendCode() {
  return api("POST", "/api/auth/login/sms", { mfa_token: demand.mfa_token, device: device() });
}
