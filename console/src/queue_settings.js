// The settings of a queue: how it treats its tasks.
import { useEffect, useRef, useState } from "preact/hooks";
import { tell } from "./api.js";
import { Field, keepEscape, linesIn, numberIn, Tick, useCommand } from "./form.js";
import { durationIn, durationText, LookOnly, ofQueue, OPERATE, useMay } from "./queue_parts.js";
import { Facts, html, Moment, Problem } from "./ui.js";

// [name, label, hint]; of a kind each.
const DURATIONS = "as 500 ms, 30 s, 5 min, 1 h, 7 d";
const FIELDS = {
  attempts: ["Attempts", [
    ["lease_ms", "A lease lasts", DURATIONS, "duration"],
    ["attempts_max", "Attempts", "Then a task is dead. 0: no limit", "number"],
    ["backoff_ms", "Wait before the second attempt", "Twice that before the third, and so on", "duration"],
    ["backoff_max_ms", "Longest wait", "", "duration"],
    ["dead_letters_to", "Dead ones go to the queue", "Empty: they stay in this one", "text"],
  ]],
  order: ["What runs next", [
    ["fair", "Keys take turns; else the most urgent task of all keys comes first", "", "tick"],
    ["ageing_ms", "A task is one priority more urgent after", "So nothing starves. For tasks that are put from then on", "duration"],
    ["weights", "Shares of keys", "One a line: the key = its weight; a key that isn't here has 1", "weights"],
  ]],
  limits: ["Limits; 0: none", [
    ["concurrency_max", "Running at once", "", "number"],
    ["concurrency_per_key_max", "Of one key", "", "number"],
    ["concurrency_per_worker_max", "With one worker", "", "number"],
    ["rate_max", "Started", "", "number"],
    ["rate_per_key_max", "Started of one key", "", "number"],
    ["rate_window_ms", "… within each", "", "duration"],
    ["depth_max", "Held", "A put beyond it is refused", "number"],
    ["payload_bytes_max", "Bytes of a payload", "", "number"],
  ]],
  kept: ["What is kept", [
    ["keep_done_ms", "Results, for", "Of tasks that were completed with one", "duration"],
    ["keep_dead_ms", "Dead ones, for", "0: until somebody redrives or deletes them", "duration"],
  ]],
};
const ALL = Object.values(FIELDS).flatMap(([, fields]) => fields);
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

const weightsText = (weights) => Object.entries(weights).map(([key, weight]) => `${key} = ${weight}`).join("\n");
const weightsIn = (text) => Object.fromEntries(linesIn(text).map((line) => {
  const [, key, weight] = line.match(/^(.*?)\s*=\s*([^=]*)$/) ?? [, line, ""];
  return [key, numberIn(weight)];
}));
const SHOW = { duration: durationText, number: String, text: (text) => text, weights: weightsText };
const READ = { duration: durationIn, number: numberIn, text: (text) => text.trim(), weights: weightsIn };

// They are replaced whole: what this page doesn't know of them stays as it is.
function typed(form, now) {
  const data = new FormData(form);
  const read = ([name, , , kind]) => {
    if (kind === "tick") return [name, data.has(name)];
    const text = data.get(name).replaceAll("\r\n", "\n");
    return [name, text === SHOW[kind](now[name]) ? now[name] : READ[kind](text)];
  };
  return { ...now, ...Object.fromEntries(ALL.map(read)) };
}

export function Settings({ queue }) {
  const now = queue.settings;
  const may = useMay(OPERATE);
  const command = useCommand();
  const form = useRef();
  const [saved, setSaved] = useState();
  // Fields that somebody typed into keep it until the queue has it.
  useEffect(() => {
    if (!saved || !same(saved, now)) return;
    form.current.reset();
    setSaved(undefined);
  }, [saved, JSON.stringify(now)]);
  useEffect(() => void form.current.querySelector("[aria-invalid]")?.focus(), [command.error]);
  const save = (event) => {
    event.preventDefault();
    const next = typed(form.current, now);
    if (same(next, now)) return command.run(async () => {}, "Nothing was changed.");
    return command.run(async () => setSaved((await tell("PUT", ofQueue(queue.queue), { settings: next })).settings), "Saved.");
  };
  const { error } = command;
  const placed = error?.errors?.length > 0 && error.errors.every(({ pointer }) => ALL.some(([name]) => at(name).test(pointer)));
  return html`
    <section aria-labelledby="settings">
      <h3 id="settings">Settings</h3>
      <${Facts} label="About it" facts=${[["made", html`<${Moment} at=${queue.made_at} />`]]} />
      ${!may && html`<${LookOnly} scope=${OPERATE} />`}
      <form class="settings" ref=${form} novalidate onSubmit=${save} onKeyDown=${keepEscape}>
        <fieldset class="plain" disabled=${!may}>${Object.values(FIELDS).map(([legend, fields]) => html`<fieldset key=${legend}>
          <legend>${legend}</legend>
          ${fields.map((field) => html`<${Setting} key=${field[0]} field=${field} now=${now} problems=${error?.errors} />`)}
        </fieldset>`)}</fieldset>
        ${may && html`<p class="buttons"><button class="button" disabled=${command.busy}>Save</button></p>`}
        ${error && (placed ? html`<p class="problem" role="alert">Nothing was saved: ${error.errors.length === 1 ? "a field has"
          : "fields have"} a fault. <code>${error.code}</code></p>` : html`<${Problem} error=${error} />`)}
        <p class="outcome quiet" role="status">${command.said}</p>
      </form>
    </section>`;
}

const at = (name) => new RegExp(`^/settings/${name}(/|$)`);

// Of the weights, a problem names the key that it is about.
const keyed = (one) => {
  const [, key] = one.pointer.match(/^\/settings\/weights\/(.+)$/) ?? [];
  return key === undefined ? one : { ...one, detail: `${key.replaceAll("~1", "/").replaceAll("~0", "~")}: ${one.detail}` };
};

function Setting({ field: [name, label, hint, kind], now, problems = [] }) {
  if (kind === "tick") return html`<${Tick} name=${name} label=${label} defaultChecked=${now[name]} />`;
  const shared = { name, label, hint, at: at(name), problems: problems.map(keyed), defaultValue: SHOW[kind](now[name]) };
  if (kind === "weights") return html`<${Field} ...${shared} lines rows="4" />`;
  if (kind === "text") return html`<${Field} ...${shared} />`;
  return html`<${Field} ...${shared} class="number" inputmode=${kind === "number" ? "numeric" : undefined} />`;
}
