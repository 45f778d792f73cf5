// What the server tells by itself: changes by other tabs and programs, progress, notices.
//
// Server-sent events are read with fetch, because EventSource cannot send the token. When the stream breaks, it is
// opened again, and everything is read anew, since something may have been missed.

import { onNewToken, request } from "./api.js";
import { get, set } from "./store.js";

const SILENCE = 25_000; // ms; the server pings every ten seconds

/** Follow the events for as long as the page lives. `handlers` are functions by the name of the event. */
export async function follow(handlers) {
  for (let wait = 300; ; wait = Math.min(wait * 1.6, 4000)) {
    const control = new AbortController();
    let timer = null;
    const alive = () => {
      clearTimeout(timer);
      timer = setTimeout(() => control.abort(), SILENCE);
    };
    try {
      alive();
      const response = await request("/api/events", { signal: control.signal });
      if (!get().online) set({ online: true });
      handlers.open();
      wait = 300;
      for await (const [name, data] of parsed(response.body, alive)) handlers[name]?.(data);
    } catch (error) {
      if (error.name !== "AbortError" && error.status === undefined && !(error instanceof TypeError))
        console.warn(error);
    }
    clearTimeout(timer);
    if (get().authorised) set({ online: false });
    await pause(wait);
  }
}

async function* parsed(body, alive) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    alive();
    text += value.replaceAll("\r", "");
    for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
      const event = readEvent(text.slice(0, end));
      if (event) yield event;
    }
  }
}

function readEvent(block) {
  let name = "message";
  const data = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) name = line.slice(6).trim();
    if (line.startsWith("data:")) data.push(line.slice(5).trim());
  }
  try {
    return data.length ? [name, JSON.parse(data.join("\n"))] : null;
  } catch {
    return null; // a ping without JSON
  }
}

let goOn = () => {};
onNewToken(() => goOn());

function pause(time) {
  return new Promise((resolve) => {
    goOn = resolve;
    setTimeout(resolve, time);
  });
}
