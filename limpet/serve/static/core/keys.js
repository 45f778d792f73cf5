// Every key and what it does: one table, which the keyboard and the help sheet read.

import { allObjects } from "./edits.js";
import { note } from "./notes.js";
import { cancel, goTo, lastFrame, propagate, undo } from "./session.js";
import { toggleCompare, toggleLock, toggleSolo, removeObject, toggleHidden, accepted, notVisible } from "./orders.js";
import { get, set } from "./store.js";
import { fit, zoom } from "../stage/view.js";
import { requestDraw } from "../stage/draw.js";
import { moveCursor, pressCursor } from "../stage/cursor.js";
import { acceptProposal } from "../tools/proposal.js";
import { TOOLS, chooseObject, chooseTool, currentTool } from "../tools/tools.js";

const move = (step) => goTo(get().frame + step, true);
const view = (change) => {
  change();
  requestDraw();
};
const size = (factor) => set({ brushSize: Math.max(0.5, Math.min(400, get().brushSize * factor)) });

/** Mark the beginning or the end of the range at the shown frame. */
function mark(end) {
  const { frame, range } = get();
  const [first, last] = range ?? [frame, frame];
  const next = end ? [Math.min(first, frame), frame] : [frame, Math.max(last, frame)];
  set({ range: next });
}

function jumpKey(direction) {
  const { frame, active } = get();
  const frames = allObjects()
    .filter((object) => active === "new" || object.id === active)
    .flatMap((object) => object.key_frames);
  const ahead = frames.filter((key) => (key - frame) * direction > 0).sort((a, b) => (a - b) * direction);
  if (ahead.length) goTo(ahead[0], true);
  else note(`There is no key frame ${direction > 0 ? "after" : "before"} this one.`);
}

function jumpLook() {
  const frames = (get().timeline?.look_first ?? []).map(([frame]) => frame).sort((a, b) => a - b);
  if (!frames.length) return note("Nothing here asks for a look.");
  goTo(frames.find((frame) => frame > get().frame) ?? frames[0], true);
}

export function propagateRange() {
  const { range } = get();
  if (!range || range[0] === range[1])
    return note("Mark a range first: [ at its first frame and ] at its last.");
  const keys = new Set(allObjects().flatMap((object) => object.key_frames));
  const locked = (frame) => get().project.locked.some(([first, last]) => frame >= first && frame <= last);
  const isKey = (frame) => keys.has(frame) || locked(frame);
  const [start, stop] = range;
  if (isKey(start) && isKey(stop)) return propagate({ mode: "between", start, stop });
  if (isKey(start)) return propagate({ mode: "forwards", start, stop });
  if (isKey(stop)) return propagate({ mode: "backwards", start: stop, stop: start });
  return note(
    "Neither end of the range is a key frame. Correct one of them, or press C there to accept its masks.",
  );
}

/** Give up what is in progress; says whether there was something. */
const escape = () => currentTool().cancel?.() || (get().compare !== null && (set({ compare: null }), true));

// `keys` are KeyboardEvent.key in lower case, with "ctrl+", "alt+" and "shift+" before it.
export const KEYS = [
  { group: "Frames", keys: ["arrowleft"], shown: "←", what: "one frame back", run: () => move(-1) },
  { group: "Frames", keys: ["arrowright"], shown: "→", what: "one frame on", run: () => move(1) },
  {
    group: "Frames",
    keys: ["shift+arrowleft"],
    shown: "Shift ←",
    what: "ten frames back",
    run: () => move(-10),
  },
  {
    group: "Frames",
    keys: ["shift+arrowright"],
    shown: "Shift →",
    what: "ten frames on",
    run: () => move(10),
  },
  { group: "Frames", keys: ["home"], shown: "Home", what: "first frame", run: () => goTo(0, true) },
  { group: "Frames", keys: ["end"], shown: "End", what: "last frame", run: () => goTo(lastFrame(), true) },
  {
    group: "Frames",
    keys: [" "],
    shown: "Space",
    what: "play or stop",
    run: () => set({ playing: !get().playing }),
  },
  { group: "Frames", keys: ["arrowup"], shown: "↑", what: "key frame before", run: () => jumpKey(-1) },
  { group: "Frames", keys: ["arrowdown"], shown: "↓", what: "key frame after", run: () => jumpKey(1) },
  { group: "Frames", keys: ["j"], shown: "J", what: "next place to look at", run: jumpLook },
  { group: "Frames", keys: ["["], shown: "[", what: "range begins here", run: () => mark(false) },
  { group: "Frames", keys: ["]"], shown: "]", what: "range ends here", run: () => mark(true) },

  { group: "Objects", keys: [], shown: "1 – 9", what: "take up an object" },
  { group: "Objects", keys: ["n"], shown: "N", what: "new object", run: () => chooseObject("new") },
  {
    group: "Objects",
    keys: ["h"],
    shown: "H",
    what: "hide or show it",
    run: () => toggleHidden(get().active),
  },
  { group: "Objects", keys: ["s"], shown: "S", what: "show it alone", run: () => toggleSolo(get().active) },
  { group: "Objects", keys: ["x"], shown: "X", what: "not visible in this frame", run: notVisible },
  {
    group: "Objects",
    keys: ["delete"],
    shown: "Delete",
    what: "remove it everywhere",
    run: () => removeObject(get().active),
  },

  ...TOOLS.map(({ name, label, key }) => ({
    group: "Tools",
    keys: [key.toLowerCase()],
    shown: key,
    what: label.toLowerCase(),
    run: () => chooseTool(name),
  })),
  { group: "Tools", keys: [","], shown: ",", what: "smaller brush", run: () => size(1 / 1.2) },
  { group: "Tools", keys: ["."], shown: ".", what: "larger brush", run: () => size(1.2) },
  {
    group: "Tools",
    keys: ["enter"],
    shown: "Enter",
    what: "accept, close the outline",
    run: () => currentTool().acceptSoon?.() || acceptProposal() || currentTool().accept?.(),
  },
  { group: "Tools", keys: ["escape"], shown: "Esc", what: "give up what is in progress", run: escape },
  {
    group: "Tools",
    keys: ["backspace"],
    shown: "Backspace",
    what: "take back the last point",
    run: () => currentTool().back?.(),
  },
  { group: "Tools", keys: [], shown: "Alt ← ↑ → ↓", what: "move the drawing cursor (Shift: ten pixels)" },
  { group: "Tools", keys: ["alt+enter"], shown: "Alt Enter", what: "press or release it", run: pressCursor },

  {
    group: "Masks",
    keys: ["f"],
    shown: "F",
    what: "propagate forwards",
    run: () => propagate({ mode: "forwards", start: get().frame }),
  },
  {
    group: "Masks",
    keys: ["b"],
    shown: "B",
    what: "propagate backwards",
    run: () => propagate({ mode: "backwards", start: get().frame }),
  },
  {
    group: "Masks",
    keys: ["a"],
    shown: "A",
    what: "propagate all that is empty or stale",
    run: () => propagate({ mode: "all" }),
  },
  { group: "Masks", keys: ["t"], shown: "T", what: "propagate in the range", run: propagateRange },
  {
    group: "Masks",
    keys: ["shift+escape"],
    shown: "Shift Esc",
    what: "cancel; what is done stays",
    run: () => get().running && cancel(),
  },
  { group: "Masks", keys: ["c"], shown: "C", what: "correct: these masks make a key frame", run: accepted },
  {
    group: "Masks",
    keys: ["l"],
    shown: "L",
    what: "lock the frame or the range",
    run: () => toggleLock(true),
  },
  { group: "Masks", keys: ["u"], shown: "U", what: "unlock it", run: () => toggleLock(false) },
  {
    group: "Masks",
    keys: ["ctrl+z"],
    shown: "Ctrl Z",
    what: "undo",
    run: () => currentTool().back?.() || undo("/api/undo"),
  },
  {
    group: "Masks",
    keys: ["ctrl+shift+z", "ctrl+y"],
    shown: "Ctrl Shift Z",
    what: "redo",
    run: () => undo("/api/redo"),
  },

  { group: "View", keys: ["o"], shown: "O", what: "outlines", run: () => set({ outlines: !get().outlines }) },
  {
    group: "View",
    keys: ["v"],
    shown: "V",
    what: "compare with the bare frame",
    run: () => toggleCompare(false),
  },
  {
    group: "View",
    keys: ["m"],
    shown: "M",
    what: "compare with the masks before the last edit",
    run: () => toggleCompare(true),
  },
  { group: "View", keys: ["+", "="], shown: "+", what: "zoom in", run: () => view(() => zoom(1.25)) },
  { group: "View", keys: ["-"], shown: "−", what: "zoom out", run: () => view(() => zoom(0.8)) },
  { group: "View", keys: ["0"], shown: "0", what: "fit", run: () => view(fit) },
  { group: "View", keys: ["?"], shown: "?", what: "this sheet", run: () => set({ dialog: "help" }) },
];

const byKey = new Map(KEYS.flatMap((entry) => entry.keys.map((key) => [key, entry])));
const MOVES = { arrowleft: [-1, 0], arrowright: [1, 0], arrowup: [0, -1], arrowdown: [0, 1] };
const TYPED =
  "input:not([type=range]):not([type=checkbox]):not([type=radio]):not([type=color]), textarea, select";

export function listen() {
  window.addEventListener("keydown", (event) => {
    const { target } = event;
    if (get().dialog || !get().project || target.closest?.(TYPED)) return;
    // A button that has the focus keeps Enter and the space bar, and a slider its arrows.
    const pressed = event.key.toLowerCase();
    if (target.closest?.("button, summary, a, input") && [" ", "enter"].includes(pressed) && !event.altKey)
      return;
    if (target.closest?.("input[type=range]") && pressed.startsWith("arrow")) return;
    if (event.altKey && MOVES[pressed]) {
      moveCursor(MOVES[pressed], event.shiftKey ? 10 : 1);
      return event.preventDefault();
    }
    if (/^[1-9]$/.test(event.key) && !event.ctrlKey && !event.altKey) {
      const object = allObjects()[Number(event.key) - 1];
      if (object) chooseObject(object.id);
      return;
    }
    const named = pressed.startsWith("arrow") || pressed === "escape";
    const shift = event.shiftKey && (event.ctrlKey || event.metaKey || named) ? "shift+" : "";
    const key = `${event.ctrlKey || event.metaKey ? "ctrl+" : ""}${event.altKey ? "alt+" : ""}${shift}${pressed}`;
    const entry = byKey.get(key);
    if (!entry) return;
    event.preventDefault();
    entry.run();
  });
}
