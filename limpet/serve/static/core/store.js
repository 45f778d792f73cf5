// The state of the page: one plain object, replaced in parts, that components watch.
//
// What stands here is small and decides what is drawn. Pictures and masks are in their own caches (core/pictures.js,
// core/masks.js), because they are large and come and go without the page changing its mind about anything.

import { useEffect, useState } from "../vendor/preact-htm.js";

/** What begins anew with another project. */
export const FRESH = {
  timeline: null,

  // Where the person is and what they hold.
  frame: 0,
  playing: false,
  active: "new", // the id of the object that tools draw, or "new"
  tool: "brush",
  brushSize: 0, // radius in pixels of the video; 0 until the size of the video is known
  proposal: null, // a mask that a tool suggests and nobody has accepted yet
  toolStatus: "",
  range: null, // [first, last] marked on the timeline
  newObject: { name: "", color: null },

  // How it is shown; nothing of this is known to the server.
  hidden: {},
  solo: null,
  protect: {},
  compare: null, // 0..1 of the stage's width; left of it the frame is shown without masks, or
  compareEarlier: false, // with those from before the last edit
  follow: false, // whether the stage goes along with a propagation
};

const initial = {
  ...FRESH,

  // How masks are shown, in every project.
  opacity: 0.5,
  outlines: true,
  hatching: false,
  safeColors: false,
  model: null, // the model that propagates; null: the server's own choice

  // What the server says; null until it has answered.
  server: null, // the answer of /api/state, without the project
  project: null, // the project, or null where none is open
  running: null, // a propagation in progress
  exporting: null, // an export of this tab in progress
  online: true,
  authorised: true,
  revision: -1, // counts every change of masks that the page knows of

  saving: 0, // edits that the server has not answered yet
  toasts: [],
  announcement: "",
  dialog: null,
};

let state = initial;
const watchers = new Set();

export const get = () => state;

/** Replace some fields; watchers run once, after the caller is done. */
export function set(patch) {
  state = { ...state, ...patch };
  for (const watcher of [...watchers]) watcher(state);
}

export function watch(watcher) {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** Run `action(value)` whenever what `pick` returns is another value than before. */
export function watchValue(pick, action) {
  let last = pick(state);
  return watch((now) => {
    const value = pick(now);
    if (value !== last) {
      last = value;
      action(value);
    }
  });
}

/** In a component: the fields that `pick` returns, as an array; drawn again when one of them changes. */
export function useStore(pick) {
  const [, redraw] = useState(0);
  const picked = pick(state);
  useEffect(() => {
    let last = pick(state);
    return watch((now) => {
      const next = pick(now);
      if (next.some((value, i) => value !== last[i])) redraw((n) => n + 1);
      last = next;
    });
  }, []);
  return picked;
}
