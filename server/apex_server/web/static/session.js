// Speaks to the server for the person who is signed in. The tokens are in cookies that no script can read; what this
// file reads is the proof that a request comes from our own page.

export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.title ?? `The server answered ${status}.`);
    this.status = status;
    this.problem = problem;
  }
}

// What a fresh access token mends; every other 401 is an answer to what was asked.
const LOST = new Set(["credentials_missing", "token_invalid", "token_expired", "session_ended"]);

export async function api(method, address, body) {
  let answer = await send(method, address, body);
  if ((await isLost(answer)) && (await renew())) answer = await send(method, address, body);
  if (await isLost(answer)) toSignIn();
  if (!answer.ok) throw new Refusal(answer.status, await answer.json().catch(() => ({})));
  if (answer.status === 204 || answer.headers.get("content-length") === "0") return null;
  return answer.headers.get("content-type").includes("json") ? answer.json() : answer.blob();
}

async function isLost(answer) {
  if (answer.status !== 401) return false;
  const problem = await answer.clone().json().catch(() => ({}));
  return LOST.has(problem.code);
}

export function hasSession() {
  return csrf() !== "";
}

let renewing = null;

// True when there is a fresh access token. Tabs take turns: a refresh token may be used once.
export function renew() {
  renewing ??= inTurn(async () => {
    const answer = await send("POST", "/api/auth/refresh", {}).catch(() => null);
    return answer?.ok ?? false;
  }).finally(() => (renewing = null));
  return renewing;
}

export async function signOut() {
  await send("POST", "/api/auth/logout", {}).catch(() => null);
  location.assign("/");
}

export function toSignIn() {
  location.assign(`/?next=${encodeURIComponent(location.pathname + location.search)}`);
}

export function wordsOf(error) {
  if (error instanceof DOMException && error.name !== "AbortError" && error.name !== "NetworkError")
    return "The passkey was not used: it was cancelled, or there is none of this account here.";
  if (!(error instanceof Refusal)) return "The server cannot be reached. Nothing was changed.";
  const { errors, title, next_step: next } = error.problem;
  const fields = (errors ?? []).map(({ field, message }) => `${field}: ${message}`);
  return fields.length ? fields.join("; ") : [title ?? error.message, next].filter(Boolean).join(" ");
}

function send(method, address, body) {
  const headers = { "Content-Type": "application/json", "X-CSRF-Token": csrf() };
  const sent = method === "GET" ? {} : { body: JSON.stringify(body ?? {}) };
  return fetch(address, { method, headers, ...sent, credentials: "same-origin" });
}

function csrf() {
  return document.cookie.match(/(?:^|; )(?:__Host-)?apex_csrf=([^;]*)/)?.[1] ?? "";
}

function inTurn(work) {
  return navigator.locks ? navigator.locks.request("apex refresh", work) : work();
}
