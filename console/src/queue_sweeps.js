// What operators do with a whole queue: pause it, and change many tasks at once. The server changes up to a thousand a call and says how
// many are left; the page goes on until those that were there are done, and can be stopped.
import { useEffect, useRef, useState } from "preact/hooks";
import { tell } from "./api.js";
import { answering, Questions } from "./form.js";
import { ofQueue, OPERATE, STATES, tasks } from "./queue_parts.js";
import { LookOnly, useMay } from "./rights.js";
import { count, html } from "./ui.js";

const A_CALL = 1000;
const HOLDABLE = STATES.filter((state) => state !== "leased");
const PAUSES = [["", "until somebody resumes it"], ["600000", "10 minutes"], ["3600000", "an hour"], ["86400000", "a day"]];

export function Operate({ queue }) {
  const may = useMay(OPERATE);
  if (!may) return html`<${LookOnly} scope=${OPERATE} />`;
  const questions = [["Pause", Pause], ["Kick", Kick], ["Redrive", Redrive], ["Purge", Purge], ["Delete the queue", Drop]];
  const offered = questions.filter(([name]) => name !== "Pause" || !queue.paused);
  const resume = () => tell("POST", ofQueue(queue.queue, "resume"), {});
  return html`<${Questions} label="Operate" questions=${offered} queue=${queue}>${({ run, busy }) => queue.paused && html`<button
    type="button" class="button" disabled=${busy} onClick=${() => run(resume, "It goes on.")}>Resume</button>`}<//>`;
}

function Pause({ queue, decide, busy }) {
  const send = answering((data) => {
    const [for_ms, reason] = [data.get("for_ms"), data.get("reason").trim()];
    const order = { ...(for_ms && { for_ms: Number(for_ms) }), ...(reason && { reason }) };
    return decide(() => tell("POST", ofQueue(queue.queue, "pause"), order), "It is paused: what runs goes on, and nothing is started.");
  });
  return html`
    <form class="line" onSubmit=${send}>
      <label>For <select name="for_ms">${PAUSES.map(([ms, name]) => html`<option value=${ms}>${name}</option>`)}</select></label>
      <label>Why <input name="reason" maxlength="2000" autocomplete="off" /></label>
      <button class="button" disabled=${busy}>Pause it</button>
    </form>`;
}

// Calls until as many are changed as there were, or none is left, or `isStopped`.
async function sweep(url, order, total, onProgress, isStopped) {
  let changed = 0;
  for (;;) {
    const said = await tell("POST", url, { ...order, max: Math.min(A_CALL, Math.max(total - changed, 1)) });
    changed += said.changed;
    onProgress(changed);
    if (said.changed === 0 || said.left === 0 || changed >= total || isStopped()) return { changed, left: said.left };
  }
}

// `states`: [value, words] that can be chosen; `verb` does it, `done` says it of so many.
function Sweep({ queue, decide, busy, states, verb, path, done, what, children }) {
  const [state, setState] = useState(states[0][0]);
  const [progress, setProgress] = useState();
  const stopped = useRef(false);
  useEffect(() => () => void (stopped.current = true), []);
  const total = state ? queue.counts[state] : HOLDABLE.reduce((sum, one) => sum + queue.counts[one], 0);
  const send = answering((data) => {
    const to = data.get("to")?.trim();
    const order = { ...(state && { state }), ...(to && { to }) };
    stopped.current = false;
    setProgress({ changed: 0, total });
    let changed = 0;
    const onProgress = (n) => setProgress({ changed: (changed = n), total });
    const run = () =>
      sweep(ofQueue(queue.queue, path), order, total, onProgress, () => stopped.current).catch((error) => {
        if (changed > 0) error.message = `${tasks(changed)} ${done}; then: ${error.message}`;
        throw error;
      });
    const saying = (said) => `${tasks(said.changed)} ${done}${said.left > 0 ? `; ${count(said.left)} are left` : ""}.`;
    return decide(run, saying).finally(() => setProgress(undefined));
  });
  return html`
    <form class="line sweep" onSubmit=${send}>
      ${states.length > 1 && html`<label>Which <select name="state" value=${state} disabled=${busy}
        onChange=${(event) => setState(event.target.value)}>
        ${states.map(([value, words]) => html`<option value=${value}>${words}</option>`)}</select></label>`}
      ${children}
      <button class="button" disabled=${busy || total === 0}>${verb} ${tasks(total)}</button>
      ${what && html`<span class="quiet">${what}</span>`}
      ${progress && html`<span class="progress"><progress max=${progress.total} value=${progress.changed} aria-label="Progress"></progress>
        ${" "}${count(progress.changed)} of ${count(progress.total)}
        ${" "}<button type="button" class="button small" onClick=${() => (stopped.current = true)}>Stop</button></span>`}
    </form>`;
}

function Kick(given) {
  const { buried } = given.queue.counts;
  const states = [["buried", "buried ones"], ["delayed", "delayed ones"]];
  return html`<${Sweep} ...${given} path="kick" verb="Kick" done="made ready" states=${buried > 0 ? states : states.reverse()}
    what="They are ready at once." />`;
}

function Redrive(given) {
  return html`<${Sweep} ...${given} path="redrive" verb="Redrive" done="redriven" states=${[["dead", "dead ones"]]}
    what="Dead ones are tried as if they never had been.">
    <label>Into <input name="to" maxlength="200" autocomplete="off" spellcheck=${false} placeholder=${given.queue.queue} /></label><//>`;
}

function Purge(given) {
  return html`<${Sweep} ...${given} path="purge" verb="Delete" done="deleted"
    states=${[["", "all that nobody has"], ...HOLDABLE.map((state) => [state, `${state} ones`])]}
    what="They are gone then; those that workers have stay." />`;
}

function Drop({ queue, decide, busy }) {
  const send = answering(() =>
    decide(async () => {
      await tell("DELETE", ofQueue(queue.queue));
      location.hash = "#/queue";
    }, "It is deleted."));
  return html`
    <form class="line" onSubmit=${send}>
      <button class="button" disabled=${busy}>Delete ${queue.queue} and its settings</button>
      <span class="quiet">Only an empty queue can be deleted.</span>
    </form>`;
}
