// A task put by hand, and the fields that a payload is given in.
import { useEffect, useRef, useState } from "preact/hooks";
import { tellText } from "./api.js";
import { Field, keepEscape, linesIn, numberIn, useCommand } from "./form.js";
import { ofQueue, PUT, taskLink } from "./queue_parts.js";
import { LookOnly, useMay } from "./rights.js";
import { durationIn } from "./times.js";
import { html, Problem } from "./ui.js";

const KINDS = [["payload", "JSON"], ["text", "text"], ["payload_base64", "base64"], ["payload_url", "an address"]];
const MODES = [["reject", "is refused while the first waits or runs"], ["single_flight", "is answered with the first"],
  ["replace", "takes the place of the one that waits"], ["debounce", "does so, and is due a window later"],
  ["throttle", "is answered with the last one of the window"]];

export const base64Of = (text) => btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(""));

// What was typed against a rule that only this page knows, as a server would say it.
const fault = (pointer, detail) => Object.assign(new Error(detail), { errors: [{ pointer, detail }] });

// `data`: of a form with <PayloadFields>. { members, raw }: fields of the request, and the text of its `payload` where it is JSON.
export function payloadIn(data) {
  const kind = data.get("kind");
  const text = data.get("payload") ?? "";
  const type = data.get("content_type")?.trim();
  const typed = type ? { content_type: type } : {};
  if (kind === "text") return { members: { content_type: "text/plain; charset=utf-8", ...typed, payload_base64: base64Of(text) } };
  if (kind === "payload_base64") return { members: { ...typed, payload_base64: text.replace(/\s/g, "") } };
  if (kind === "payload_url")
    return { members: { ...typed, payload_url: text.trim(), payload_digest: data.get("payload_digest").trim() } };
  try {
    JSON.parse(text);
  } catch (error) {
    throw fault("/payload", `no JSON: ${error.message}`);
  }
  return { members: {}, raw: text };
}
// A request whose payload is sent as it was typed, every digit of it.
export function bodyOf({ members, raw }) {
  const rest = JSON.stringify(members);
  if (raw === undefined) return rest;
  return rest === "{}" ? `{"payload":${raw}}` : `{"payload":${raw},${rest.slice(1)}`;
}

// `kinds` are the names of those that are offered.
export function PayloadFields({ problems, kinds = KINDS.map(([kind]) => kind), kind: first = "payload", text = "", type = "" }) {
  const [kind, setKind] = useState(first);
  const [, label] = KINDS.find(([name]) => name === kind);
  return html`
    <fieldset class="kinds"><legend>Payload</legend>
      <p class="buttons">${KINDS.filter(([name]) => kinds.includes(name)).map(([name, title]) => html`<label key=${name}>
        <input type="radio" name="kind" value=${name} checked=${kind === name} onChange=${() => setKind(name)} /> ${title}</label>`)}</p>
      <${Field} name="payload" label=${`The payload: ${label}`} lines rows="6" problems=${problems} defaultValue=${text}
        at=${/^\/payload(_base64|_url)?(\/|$)/} />
      ${kind === "payload_url" && html`<${Field} name="payload_digest" label="Its digest" hint="as sha256:…" problems=${problems} />`}
      ${kind !== "payload" && html`<${Field} name="content_type" label="Content type" problems=${problems} defaultValue=${type}
        placeholder=${kind === "text" ? "text/plain; charset=utf-8" : "application/octet-stream"} />`}
    </fieldset>`;
}

function headersIn(text) {
  return Object.fromEntries(linesIn(text).map((line) => {
    const [, name, value] = line.match(/^([^:]+):\s*(.*)$/) ?? [];
    if (name === undefined) throw fault("/headers", `${line}: expected name: value`);
    return [name.trim(), value];
  }));
}

function uniqueIn(text) {
  const [key, mode, window] = [text("unique_key"), text("mode"), text("window_ms")];
  return key && { key, mode, ...(window && { window_ms: durationIn(window) }) };
}

// What the form says, without what was left empty.
function requestIn(data) {
  const text = (name) => data.get(name)?.trim() ?? "";
  const { members, raw } = payloadIn(data);
  const tags = linesIn(text("tags"));
  const headers = headersIn(text("headers"));
  const said = {
    ...members,
    priority: text("priority") && numberIn(text("priority")),
    delay_ms: text("delay_ms") && durationIn(text("delay_ms")),
    due_at: text("due_at") && new Date(text("due_at")).toISOString(),
    key: text("key"),
    group: text("group"),
    tags: tags.length > 0 && tags,
    headers: Object.keys(headers).length > 0 && headers,
    unique: uniqueIn(text),
    attempts_max: text("attempts_max") && numberIn(text("attempts_max")),
    run_s_max: text("run_s_max") && numberIn(text("run_s_max")),
  };
  return { members: Object.fromEntries(Object.entries(said).filter(([, value]) => value !== "" && value !== false)), raw };
}

const OUTCOMES = { put: "was put", exists: "is there already", replaced: "has this content now",
  throttled: "was put lately: no other was" };

export function Put({ queue }) {
  const may = useMay(PUT);
  const command = useCommand();
  const [reply, setReply] = useState();
  const form = useRef();
  useEffect(() => void form.current?.querySelector("[aria-invalid]")?.focus(), [command.error]);
  const send = (event) => {
    event.preventDefault();
    setReply(undefined);
    return command.run(async () => {
      const request = bodyOf(requestIn(new FormData(form.current)));
      setReply(await tellText("POST", ofQueue(queue.queue, "tasks"), request));
    });
  };
  const problems = command.error?.errors;
  return html`
    <section aria-labelledby="put">
      <h3 id="put">Put a task</h3>
      ${!may && html`<${LookOnly} scope=${PUT} />`}
      ${may && html`<form class="settings" ref=${form} novalidate onSubmit=${send} onKeyDown=${keepEscape}>
        <${PayloadFields} problems=${problems} text="{}" />
        <fieldset><legend>Which runs when</legend>
          <${Field} name="priority" label="Priority" hint="0 is the most urgent; empty: 1000" class="number" inputmode="numeric"
            problems=${problems} />
          <${Field} name="delay_ms" label="After" hint="as 500 ms, 30 s, 5 min, 1 h, 7 d" class="number" problems=${problems} />
          <${Field} name="due_at" label="Or at" type="datetime-local" class="number" problems=${problems} />
          <${Field} name="key" label="Key" hint="Keys take turns" maxlength="200" problems=${problems} />
          <${Field} name="group" label="Group" hint="Tasks of a group run one after another" maxlength="200" problems=${problems} />
        </fieldset>
        <${More} problems=${problems} />
        <p class="buttons"><button class="button" disabled=${command.busy}>Put it</button></p>
        ${command.error && html`<${Problem} error=${command.error} />`}
        <p class="outcome" role="status">${reply && html`<a href=${taskLink(reply.id)}>${reply.id}</a> ${OUTCOMES[reply.outcome]}${
          reply.outcome === "put" && `: ${reply.state}`}.`}</p>
      </form>`}
    </section>`;
}

function More({ problems }) {
  const folded = ["tags", "headers", "unique", "attempts_max", "run_s_max"];
  const isWrong = problems?.some(({ pointer }) => folded.includes(pointer.split("/")[1]));
  return html`
    <details open=${isWrong || undefined}>
      <summary>Tags, headers, unique key, attempts</summary>
      <${Field} name="tags" label="Tags" lines rows="2" hint="One a line" problems=${problems} />
      <${Field} name="headers" label="Headers" lines rows="2" hint="One a line: name: value" problems=${problems} />
      <fieldset><legend>Unique</legend>
        <${Field} name="unique_key" label="Unique key" maxlength="200" at=${/^\/unique(\/key)?$/} problems=${problems} />
        <div class="field"><label for="field-mode">A second task of this key</label>
          <select id="field-mode" name="mode">${MODES.map(([mode, words]) => html`<option value=${mode}>${words} (${mode})</option>`)}
          </select></div>
        <${Field} name="window_ms" label="Window" class="number" at=${/^\/unique\/(window_ms|mode)/} problems=${problems} />
      </fieldset>
      <${Field} name="attempts_max" label="Attempts" hint="Empty: as the queue has it" class="number" inputmode="numeric"
        problems=${problems} />
      <${Field} name="run_s_max" label="Runs at most, in seconds" hint="All extensions together" class="number" inputmode="numeric"
        problems=${problems} />
    </details>`;
}
