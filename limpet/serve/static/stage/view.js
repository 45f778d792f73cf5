// Where the video lies on the stage: zoom, pan, and points of the stage as points of the video.
//
// Not in the store: it changes with every move of the mouse, and only the stage draws with it.

export const view = { scale: 1, x: 0, y: 0, fitted: true };
const stage = { width: 1, height: 1 };
const video = { width: 1, height: 1 };
const MARGIN = 16;

/** The sizes in CSS pixels of the stage, and in pixels of the video. */
export function setSizes(stageSize, videoSize) {
  Object.assign(stage, stageSize);
  Object.assign(video, videoSize);
  if (view.fitted) fit();
}

export const fitScale = () =>
  Math.max(
    0.01,
    Math.min((stage.width - 2 * MARGIN) / video.width, (stage.height - 2 * MARGIN) / video.height),
  );

export function fit() {
  view.scale = fitScale();
  view.x = (stage.width - video.width * view.scale) / 2;
  view.y = (stage.height - video.height * view.scale) / 2;
  view.fitted = true;
}

/** Zoom by a factor; the point (x, y) of the stage stays where it is. */
export function zoom(factor, x = stage.width / 2, y = stage.height / 2) {
  const scale = Math.max(fitScale() / 2, Math.min(40, view.scale * factor));
  view.x = x - ((x - view.x) * scale) / view.scale;
  view.y = y - ((y - view.y) * scale) / view.scale;
  view.scale = scale;
  view.fitted = false;
}

export function pan(dx, dy) {
  const keep = 60; // so much of the video stays on the stage
  view.x = Math.max(keep - video.width * view.scale, Math.min(stage.width - keep, view.x + dx));
  view.y = Math.max(keep - video.height * view.scale, Math.min(stage.height - keep, view.y + dy));
  view.fitted = false;
}

export const toVideo = (x, y) => [(x - view.x) / view.scale, (y - view.y) / view.scale];
export const toStage = (x, y) => [x * view.scale + view.x, y * view.scale + view.y];
export const isInside = ([x, y]) => x >= 0 && y >= 0 && x < video.width && y < video.height;
