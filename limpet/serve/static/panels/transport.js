// Below the stage: stepping, playing, the number of the frame, and playback itself.

import { html, useState } from "../vendor/preact-htm.js";
import { picture } from "../core/pictures.js";
import { goTo, lastFrame } from "../core/session.js";
import { get, set, useStore, watchValue } from "../core/store.js";
import { IconButton } from "./icons.js";

/** Play at the speed of the video; frames that are not here yet are waited for, frames that come late are left out. */
watchValue(
  ({ playing }) => playing,
  (playing) => playing && play(),
);

function play() {
  const { fps } = get().project.video;
  if (get().frame >= lastFrame()) goTo(0);
  let [from, since] = [get().frame, performance.now()];
  const tick = (now) => {
    if (!get().playing || !get().project) return;
    const { frame } = get();
    const due = from + Math.floor(((now - since) / 1000) * fps);
    if (!picture(frame)) [from, since] = [frame, now];
    else if (due > frame) goTo(due);
    if (get().frame >= lastFrame()) return set({ playing: false });
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
}

function clock(frame, fps) {
  const seconds = frame / (fps || 25);
  const minutes = Math.floor(seconds / 60);
  const rest = (seconds % 60).toFixed(2).padStart(5, "0");
  return minutes >= 60
    ? `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`
    : `${minutes}:${rest}`;
}

const WORDS = {
  propagated: "propagated",
  corrected: "key frame",
  locked: "locked",
  stale: "stale: propagate again",
  empty: "no mask yet",
  unreadable: "cannot be read",
};

export function statusOf(timeline, frame) {
  return timeline?.statuses.find(([first, last]) => frame >= first && frame <= last)?.[2] ?? "empty";
}

export function Transport() {
  const [frame, playing, project, timeline] = useStore((s) => [s.frame, s.playing, s.project, s.timeline]);
  const status = statusOf(timeline, frame);
  const step = (by) => () => goTo(get().frame + by, true);
  const [typing, setTyping] = useState(null); // what is in the field until it counts; frames go by meanwhile
  const typed = (event) => {
    if (event.target.value !== "") goTo(Number(event.target.value), true);
    setTyping(null);
    event.target.value = get().frame;
  };
  return html`<div class="transport">
    <div class="group" role="group" aria-label="Frames">
      <${IconButton} icon="first" label="First frame" keyName="Home" onClick=${() => goTo(0, true)} />
      <${IconButton} icon="back" label="One frame back" keyName="←" onClick=${step(-1)} />
      <${IconButton} icon=${playing ? "pause" : "play"} label=${playing ? "Stop" : "Play"} keyName="Space"
        onClick=${() => set({ playing: !playing })} />
      <${IconButton} icon="on" label="One frame on" keyName="→" onClick=${step(1)} />
      <${IconButton} icon="last" label="Last frame" keyName="End" onClick=${() => goTo(lastFrame(), true)} />
    </div>
    <label class="frame-number">Frame
      <input type="number" min="0" max=${lastFrame()} value=${typing ?? frame} onChange=${typed}
        onInput=${(event) => setTyping(event.target.value)} onBlur=${() => setTyping(null)}
        onKeyDown=${(event) => event.key === "Enter" && event.target.blur()} />
      <span>of ${lastFrame()}</span>
    </label>
    <span class="clock">${clock(frame, project.video.fps)}</span>
    <span class="status ${status}"><i aria-hidden="true"></i>${WORDS[status]}</span>
  </div>`;
}
