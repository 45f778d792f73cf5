// What the page says to the person: short notes in a corner, which screen readers speak.

import { get, set } from "./store.js";

const STAYS = { info: 4000, done: 4000, error: 12000 };
let number = 0;

/** Show a note. `kind` is "info", "done" or "error"; `action` is {label, run} of a button in it. */
export function note(text, kind = "info", action = null) {
  const same = get().toasts.find((toast) => toast.text === text);
  if (same) dismiss(same.id);
  const id = ++number;
  set({ toasts: [...get().toasts.slice(-3), { id, text, kind, action }] });
  setTimeout(() => dismiss(id), STAYS[kind]);
}

export function dismiss(id) {
  set({ toasts: get().toasts.filter((toast) => toast.id !== id) });
}

/** Say something to screen readers alone, such as the frame after a jump. */
export const announce = (text) => set({ announcement: text });

/** Show an error of a request; aborts are nobody's concern. */
export function noteError(error) {
  if (error.name === "AbortError") return;
  console.warn(error);
  note(error.message, "error");
}
