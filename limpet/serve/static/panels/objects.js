// The objects: choose, name, colour, hide, show alone, protect, remove.

import { html, useState } from "../vendor/preact-htm.js";
import { allObjects, freeId } from "../core/edits.js";
import { colorOf, isShown, nameOfObject, suggestedColor } from "../core/colors.js";
import { confidenceOf } from "../core/masks.js";
import {
  recolorObject,
  removeObject,
  renameObject,
  toggleHidden,
  toggleProtect,
  toggleSolo,
} from "../core/orders.js";
import { set, useStore } from "../core/store.js";
import { chooseObject } from "../tools/tools.js";
import { Icon, IconButton } from "./icons.js";

function Name({ object }) {
  const [editing, edit] = useState(false);
  const name = nameOfObject(object);
  if (editing) {
    const done = (event) => {
      edit(false);
      renameObject(object.id, event.target.value.trim());
    };
    return html`<input
      class="name-input" value=${object.name} aria-label="Name of the object" maxlength="80"
      ref=${(element) => element?.focus()} onBlur=${done}
      onKeyDown=${(event) => (event.key === "Enter" || event.key === "Escape") && event.target.blur()}
    />`;
  }
  return html`<button
    type="button" class="name" title="Choose; double click renames" onClick=${() => chooseObject(object.id)}
    onDblClick=${() => edit(true)} onKeyDown=${(event) => event.key === "F2" && edit(true)}
  >${name}</button>`;
}

function Row({ object, rank, active, confidence, solo, protect }) {
  const name = nameOfObject(object);
  const shown = isShown(object.id);
  const percent = confidence === undefined ? "" : `${Math.round(confidence * 100)} %`;
  return html`<li class="object ${active ? "active" : ""}" aria-current=${active ? "true" : undefined}>
    <input
      type="color" class="swatch" value=${colorOf(object)} aria-label=${`Colour of ${name}`}
      title="Colour" onChange=${(event) => recolorObject(object.id, event.target.value)}
    />
    <${Name} object=${object} />
    <span class="confidence" title="Confidence in this frame">${percent}</span>
    ${rank < 9 && !active && html`<kbd aria-hidden="true">${rank + 1}</kbd>`}
    <span class="object-buttons">
      <${IconButton} icon=${shown ? "eye" : "eyeOff"} label=${`Hide ${name}`} keyName="H" pressed=${!shown}
        onClick=${() => toggleHidden(object.id)} />
      <${IconButton} icon="solo" label=${`Show ${name} alone`} keyName="S" pressed=${solo}
        onClick=${() => toggleSolo(object.id)} />
      <${IconButton} icon=${protect ? "lock" : "unlock"} label=${`Protect ${name} from drawing`} pressed=${protect}
        onClick=${() => toggleProtect(object.id)} />
      <${IconButton} icon="trash" label=${`Remove ${name} from all frames`} keyName="Delete"
        onClick=${() => removeObject(object.id)} />
    </span>
  </li>`;
}

/** The object that is not drawn yet. */
function NewRow({ number }) {
  const [newObject] = useStore((s) => [s.newObject]);
  const color = newObject.color ?? suggestedColor(number);
  const change = (patch) => set({ newObject: { ...newObject, ...patch } });
  return html`<li class="object active new" aria-current="true">
    <input type="color" class="swatch" value=${color} aria-label="Colour of the new object"
      onChange=${(event) => change({ color: event.target.value })} />
    <input class="name-input" value=${newObject.name} placeholder=${`object ${number}`} maxlength="80"
      aria-label="Name of the new object" onInput=${(event) => change({ name: event.target.value })}
      onKeyDown=${(event) => (event.key === "Enter" || event.key === "Escape") && event.target.blur()} />
    <span class="hint">draw it</span>
  </li>`;
}

export function Objects() {
  const [, active, solo, protect, frame] = useStore((s) => [
    s.project,
    s.active,
    s.solo,
    s.protect,
    s.frame,
    s.hidden,
    s.timeline,
    s.saving,
    s.safeColors,
  ]);
  const objects = allObjects();
  const confidence = confidenceOf(frame);
  return html`<section class="panel" aria-labelledby="objects-title">
    <div class="panel-head">
      <h2 id="objects-title">Objects</h2>
      <button type="button" class="button small" onClick=${() => chooseObject("new")} aria-pressed=${active === "new"}>
        <${Icon} name="plus" /> New <kbd>N</kbd>
      </button>
    </div>
    <ul class="objects">
      ${objects.map(
        (object, rank) => html`<${Row}
        key=${object.id} object=${object} rank=${rank} active=${active === object.id} solo=${solo === object.id}
        protect=${Boolean(protect[object.id])} confidence=${confidence[object.id]}
      />`,
      )}
      ${active === "new" && html`<${NewRow} key="new" number=${freeId()} />`}
    </ul>
  </section>`;
}
