// The timeline: drag to scrub, wheel to zoom, and the same facts as a table for those who cannot see the picture.

import { html, useEffect, useRef } from "../vendor/preact-htm.js";
import { nameOfObject } from "../core/colors.js";
import { allObjects } from "../core/edits.js";
import { goTo, lastFrame } from "../core/session.js";
import { get, set, useStore, watch } from "../core/store.js";
import { LEFT, drawTimeline, frameAt, heightFor, xOf } from "./timeline_draw.js";
import { statusOf } from "./transport.js";

let span = null; // the frames that are shown, [from, to]; null: all

const shownSpan = () => (span && span[1] <= lastFrame() ? span : [0, lastFrame()]);

function zoomSpan(factor, at) {
  const [from, to] = shownSpan();
  const length = Math.max(20, Math.min(lastFrame() + 1, (to - from + 1) * factor));
  const start = Math.round(
    Math.max(0, Math.min(lastFrame() + 1 - length, at - ((at - from) / (to - from + 1)) * length)),
  );
  span = length > lastFrame() ? null : [start, Math.min(lastFrame(), start + Math.round(length) - 1)];
}

/** The playhead stays in sight when it is moved by keys or by playing. */
function keepInSight(frame) {
  if (!span || (frame >= span[0] && frame <= span[1])) return;
  const length = span[1] - span[0];
  const from = Math.max(0, Math.min(lastFrame() - length, frame - Math.round(length / 3)));
  span = [from, from + length];
}

/** Draw the picture when something in it has changed, and the playhead over it whenever the frame has. */
function drawer(canvas) {
  const still = document.createElement("canvas");
  let last = [];
  let asked = false;
  const draw = () => {
    asked = false;
    const state = get();
    if (!state.project || !canvas.clientWidth) return;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, heightFor(allObjects().length)];
    if (Math.round(canvas.clientHeight) !== height) canvas.style.height = `${height}px`;
    keepInSight(state.frame);
    const { timeline, project, range, active, safeColors, saving } = state;
    const facts = [
      timeline,
      project,
      range,
      active,
      safeColors,
      saving,
      String(shownSpan()),
      width,
      height,
      ratio,
    ];
    if (facts.some((fact, i) => fact !== last[i])) {
      last = facts;
      [still.width, still.height] = [Math.round(width * ratio), Math.round(height * ratio)];
      const context = still.getContext("2d");
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      drawTimeline(context, { width, height, span: shownSpan(), state });
    }
    if (canvas.width !== still.width) canvas.width = still.width;
    if (canvas.height !== still.height) canvas.height = still.height;
    const context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.drawImage(still, 0, 0);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    drawHead(context, Math.round(xOf(state.frame, shownSpan(), width)), height);
  };
  return () => {
    if (!asked) requestAnimationFrame(draw);
    asked = true;
  };
}

function drawHead(context, x, height) {
  if (x < LEFT) return;
  context.fillStyle = "#fff";
  context.fillRect(x - 0.75, 4, 1.5, height - 4);
  context.beginPath();
  context.roundRect(x - 5, 0, 10, 9, 3);
  context.fill();
}

export function Timeline() {
  const canvas = useRef(null);
  const [frame, timeline] = useStore((s) => [s.frame, s.timeline, s.project]);
  useEffect(() => {
    const element = canvas.current;
    const redraw = drawer(element);
    const observer = new ResizeObserver(redraw);
    observer.observe(element);
    const stop = watch(redraw);
    const wheel = (event) => {
      event.preventDefault();
      const at = frameAt(event.offsetX, shownSpan(), element.clientWidth);
      zoomSpan(
        Math.exp(Math.max(-100, Math.min(100, event.deltaY)) * 0.003),
        Math.max(0, Math.min(lastFrame(), at)),
      );
      redraw();
    };
    element.addEventListener("wheel", wheel, { passive: false });
    redraw();
    return () => {
      stop();
      observer.disconnect();
      element.removeEventListener("wheel", wheel);
    };
  }, []);
  const scrub = (event) => {
    if (!(event.buttons & 1)) return;
    set({ follow: false, playing: false });
    goTo(Math.max(0, frameAt(event.offsetX, shownSpan(), canvas.current.clientWidth)));
  };
  const down = (event) => {
    canvas.current.setPointerCapture(event.pointerId);
    scrub(event);
  };
  return html`<div class="timeline">
    <canvas
      ref=${canvas} class="timeline-canvas" tabindex="0" role="slider" aria-label="Timeline" aria-valuemin="0"
      aria-valuemax=${lastFrame()} aria-valuenow=${frame} aria-valuetext=${`frame ${frame}, ${statusOf(timeline, frame)}`}
      onPointerDown=${down} onPointerMove=${scrub}
    ></canvas>
    <${Facts} />
  </div>`;
}

/** What the picture shows, for screen readers. */
function Facts() {
  const [timeline] = useStore((s) => [s.timeline, s.project]);
  if (!timeline) return null;
  const spans = (lane) =>
    (lane?.spans ?? [])
      .slice(0, 40)
      .map(([first, last, kind]) => `${first} to ${last} ${kind}`)
      .join(", ");
  return html`<table class="visually-hidden">
    <caption>Objects along the timeline</caption>
    <thead><tr><th scope="col">Object</th><th scope="col">Key frames</th><th scope="col">Frames</th></tr></thead>
    <tbody>${allObjects().map(
      (object) => html`<tr key=${object.id}>
      <th scope="row">${nameOfObject(object)}</th>
      <td>${(timeline.lanes[object.id]?.key_frames ?? []).slice(0, 40).join(", ") || "none"}</td>
      <td>${spans(timeline.lanes[object.id]) || "no mask yet"}</td>
    </tr>`,
    )}</tbody>
  </table>`;
}
