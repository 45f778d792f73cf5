// Requests to the server. Every one carries the token that came in the address of the page.
//
// The token stands in the fragment, which browsers send to nobody. It is kept for this tab and taken out of the address
// bar. A server that is started again has another one: the tab that is opened then tells it to the tabs of before, which
// go on where they were.

import { set } from "./store.js";

const KEY = "limpet-token";
const tabs = "BroadcastChannel" in window ? new BroadcastChannel(KEY) : null;
let token = tokenFromAddress();
const waiting = new Set(); // called when another token arrives

function tokenFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem(KEY, given);
    history.replaceState(null, "", location.pathname + location.search);
    tabs?.postMessage(given);
  }
  return given ?? sessionStorage.getItem(KEY) ?? "";
}

tabs?.addEventListener("message", ({ data }) => {
  if (typeof data === "string" && data !== token) useToken(data);
});
// A link with a new token that is opened in this very tab changes the fragment alone and loads nothing.
window.addEventListener("hashchange", () => useToken(tokenFromAddress()));

export function useToken(text) {
  token = text;
  sessionStorage.setItem(KEY, token);
  set({ authorised: true });
  for (const again of [...waiting]) again();
}

export const onNewToken = (action) => waiting.add(action);

/** What went wrong, in a sentence for the person. `status` is 0 where no answer came at all. */
export class RequestError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** Fetch with the token. Raises RequestError; an abort raises the browser's AbortError. */
export async function request(path, options = {}) {
  let response;
  const used = token;
  try {
    response = await fetch(path, { ...options, headers: { ...options.headers, "X-Limpet-Token": used } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new RequestError("limpet does not answer. Is `limpet serve` still running in the terminal?", 0);
  }
  if (!response.ok) {
    const text = await response.text();
    if (response.status === 401 && used === token) set({ authorised: false });
    throw new RequestError(sentence(text, response.status), response.status);
  }
  return response;
}

function sentence(text, status) {
  try {
    return JSON.parse(text).error;
  } catch {
    return `The server answered ${status}: ${text.slice(0, 200)}`;
  }
}

export const getJson = async (path, signal) => (await request(path, { signal })).json();

/** `project`: the path of the one that the command is for; the server refuses it (412) where another one is open. */
export async function postJson(path, body = {}, { signal, project } = {}) {
  const headers = { "Content-Type": "application/json" };
  if (project) headers["X-Limpet-Project"] = encodeURIComponent(project);
  return (await request(path, { method: "POST", headers, body: JSON.stringify(body), signal })).json();
}
