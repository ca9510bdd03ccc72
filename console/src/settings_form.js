// A form of settings: fields in groups, each of a kind, with what the server says against it. What somebody typed into stays until it
// holds.
import { useEffect, useRef, useState } from "preact/hooks";
import { Field, keepEscape, linesIn, numberIn, Tick, useCommand } from "./form.js";
import { LookOnly, useMay } from "./rights.js";
import { durationIn, durationText } from "./times.js";
import { html, Problem } from "./ui.js";

export const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

const weightsText = (weights) => Object.entries(weights).map(([key, weight]) => `${key} = ${weight}`).join("\n");
const weightsIn = (text) => Object.fromEntries(linesIn(text).map((line) => {
  const [, key, weight] = line.match(/^(.*?)\s*=\s*([^=]*)$/) ?? [, line, ""];
  return [key, numberIn(weight)];
}));
const statesText = (states) => states.map(({ name, to }) => `${name}: ${to.join(", ")}`).join("\n");
const statesIn = (text) => linesIn(text).map((line) => {
  const [name, ...to] = line.split(/[:,]/).map((word) => word.trim()).filter(Boolean);
  return { name: name ?? "", to };
});
const asIs = (text) => text.trim();
// By kind: what a field shows of a value, and what is read from it. "choice" is followed by its values.
const SHOW = { duration: durationText, number: String, text: String, choice: String, weights: weightsText, states: statesText };
const READ = { duration: durationIn, number: numberIn, text: asIs, choice: asIs, weights: weightsIn, states: statesIn };

function typed(form, fields, now) {
  const data = new FormData(form);
  const read = ([name, , , kind]) => {
    if (kind === "tick") return [name, data.has(name)];
    const text = data.get(name).replaceAll("\r\n", "\n");
    return [name, text === SHOW[kind](now[name]) ? now[name] : READ[kind](text)];
  };
  return { ...now, ...Object.fromEntries(fields.map(read)) };
}

// `groups`: [legend, [[name, label, hint, kind, values], …]]; `now`: the settings as they are; `send(next)` answers with what holds then;
// `pointer` comes before a field's name where a problem points at it.
export function SettingsForm({ groups, now, send, scope, pointer = "/" }) {
  const fields = groups.flatMap(([, some]) => some);
  const may = useMay(scope);
  const command = useCommand();
  const form = useRef();
  const [saved, setSaved] = useState();
  useEffect(() => {
    if (!saved || !same(saved, now)) return;
    form.current.reset();
    setSaved(undefined);
  }, [saved, JSON.stringify(now)]);
  useEffect(() => void form.current.querySelector("[aria-invalid]")?.focus(), [command.error]);
  const save = (event) => {
    event.preventDefault();
    const next = typed(form.current, fields, now);
    if (same(next, now)) return command.run(async () => {}, "Nothing was changed.");
    return command.run(async () => setSaved(await send(next)), "Saved.");
  };
  const { error } = command;
  const at = (name) => new RegExp(`^${pointer}${name}(/|$)`);
  const placed = error?.errors?.length > 0 && error.errors.every((one) => fields.some(([name]) => at(name).test(one.pointer)));
  return html`
    ${!may && html`<${LookOnly} scope=${scope} />`}
    <form class="settings" ref=${form} novalidate onSubmit=${save} onKeyDown=${keepEscape}>
      <fieldset class="plain" disabled=${!may}>${groups.map(([legend, some]) => html`<fieldset key=${legend}>
        <legend>${legend}</legend>
        ${some.map((field) => html`<${Setting} key=${field[0]} field=${field} now=${now} at=${at(field[0])} problems=${error?.errors} />`)}
      </fieldset>`)}</fieldset>
      ${may && html`<p class="buttons"><button class="button" disabled=${command.busy}>Save</button></p>`}
      ${error && (placed ? html`<p class="problem" role="alert">Nothing was saved: ${error.errors.length === 1 ? "a field has"
        : "fields have"} a fault. <code>${error.code}</code></p>` : html`<${Problem} error=${error} />`)}
      <p class="outcome quiet" role="status">${command.said}</p>
    </form>`;
}

// Of weights, a problem names the key that it is about.
const keyed = (one) => {
  const [, key] = one.pointer.match(/\/weights\/(.+)$/) ?? [];
  return key === undefined ? one : { ...one, detail: `${key.replaceAll("~1", "/").replaceAll("~0", "~")}: ${one.detail}` };
};

function Setting({ field: [name, label, hint, kind, values], now, at, problems = [] }) {
  if (kind === "tick") return html`<${Tick} name=${name} label=${label} defaultChecked=${now[name]} />`;
  if (kind === "choice") return html`
    <div class="field"><label for=${`field-${name}`}>${label}</label>
      <select id=${`field-${name}`} name=${name}>${values.map(([value, words]) => html`
        <option value=${value} selected=${now[name] === value}>${words}</option>`)}</select></div>`;
  const shared = { name, label, hint, at, problems: problems.map(keyed), defaultValue: SHOW[kind](now[name]) };
  if (kind === "weights" || kind === "states") return html`<${Field} ...${shared} lines rows="4" />`;
  if (kind === "text") return html`<${Field} ...${shared} />`;
  return html`<${Field} ...${shared} class="number" inputmode=${kind === "number" ? "numeric" : undefined} />`;
}
