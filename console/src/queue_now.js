// How a queue fares: what it holds and in which states, how long tasks wait and run, what runs next and what holds the others back, its
// workers and its keys.
import { useMemo } from "preact/hooks";
import { address, useLive, useLiveList } from "./api.js";
import { KeyName, ofQueue, STATES, taskLink, tasksLink } from "./queue_parts.js";
import { Operate } from "./queue_sweeps.js";
import { measured } from "./times.js";
import { Age, count, html, More, Problem, Told } from "./ui.js";

const NEXT = 10;
const LISTED = 25;

export function QueueNow({ queue }) {
  return html`
    <${States} queue=${queue} />
    <${Figures} queue=${queue} />
    <${Operate} queue=${queue} />
    <div class="columns">
      <div><${Next} name=${queue.queue} /><${Workers} queue=${queue} /></div>
      <div><${Keys} queue=${queue} /></div>
    </div>`;
}

function States({ queue }) {
  return html`
    <ul class="chips" aria-label="Tasks by state">${STATES.map((state) => html`<li key=${state} data-state=${state}>
      <a class="chip" href=${tasksLink(queue.queue, { state })}>${state} <b>${count(queue.counts[state])}</b></a></li>`)}</ul>`;
}

function Figures({ queue }) {
  const taken = useMemo(() => Date.now(), [queue]);
  const oldest = queue.oldest_age_ms === undefined ? undefined : new Date(taken - queue.oldest_age_ms).toISOString();
  const rows = [["depth", count(queue.depth)], ["oldest", html`<${Age} at=${oldest} />`], ["put", count(queue.put)],
    ["done", count(queue.done)], ["failed", count(queue.failed)], ["expired", count(queue.expired)]];
  return html`
    <div class="figures">
      <dl>${rows.map(([name, value]) => html`<div key=${name} data-figure=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
      <table class="told-table times">
        <caption class="quiet">In this hour and the one before</caption>
        <thead><tr><td></td><th scope="col" class="number">tasks</th><th scope="col" class="number">half within</th>
          <th scope="col" class="number">95 %</th><th scope="col" class="number">99 %</th></tr></thead>
        <tbody><${Times} name="waited" times=${queue.wait} /><${Times} name="ran" times=${queue.run} /></tbody>
      </table>
    </div>`;
}

function Times({ name, times }) {
  const told = (ms) => (times.count > 0 ? measured(ms) : "–");
  return html`<tr data-times=${name}><th scope="row">${name}</th><td class="number">${count(times.count)}</td>
    ${[times.p50_ms, times.p95_ms, times.p99_ms].map((ms) => html`<td class="number">${told(ms)}</td>`)}</tr>`;
}

function Next({ name }) {
  const { data, error } = useLive(address(ofQueue(name, "next"), { limit: NEXT }));
  return html`
    <section aria-labelledby="next">
      <h3 id="next">What runs next</h3>
      ${error && html`<${Problem} error=${error} />`}
      ${!data && !error && html`<p class="empty">Loading…</p>`}
      ${data?.held_back.length > 0 && html`<ul class="held-back">${data.held_back.map((why) => html`<li key=${why}>
        <${Told} text=${why} /></li>`)}</ul>`}
      ${data?.tasks.length === 0 && html`<p class="quiet">${data.held_back.length > 0 ? "Nothing would start now."
        : "Nothing is ready to run."}</p>`}
      ${data?.tasks.length > 0 && html`<ol class="nexts">${data.tasks.map((task) => html`<li key=${task.id} data-next=${task.id}>
        <a data-row href=${taskLink(task.id)}>${task.id}</a> <span class="quiet">priority ${count(task.priority)},
        waits <${Age} at=${task.put_at} />${task.attempts > 0 && html`, tried ${count(task.attempts)} times`}</span>
        ${task.key && html` <${Told} text=${task.key} />`}</li>`)}</ol>`}
    </section>`;
}

function Workers({ queue }) {
  const list = useLiveList(ofQueue(queue.queue, "workers"), { limit: LISTED }, { idOf: ({ worker }) => worker, also: queue });
  return html`
    <section aria-labelledby="workers">
      <h3 id="workers">Workers</h3>
      ${list.error && html`<${Problem} error=${list.error} />`}
      ${list.items?.length === 0 && html`<p class="quiet">Nobody has a task of it.</p>`}
      ${list.items?.length > 0 && html`
        <table class="runs workers">
          <thead><tr><th scope="col">worker</th><th scope="col" class="count">running</th><th scope="col" class="age">seen</th></tr></thead>
          <tbody>${list.items.map((one) => html`<tr key=${one.worker} data-worker=${one.worker}>
            <th scope="row" title=${one.worker}><${Told} text=${one.worker} /></th><td class="count">${count(one.running)}</td>
            <td class="age"><${Age} at=${one.seen} /></td></tr>`)}</tbody>
        </table>`}
      <${More} list=${list} noun="workers" />
    </section>`;
}

function Keys({ queue }) {
  const list = useLiveList(ofQueue(queue.queue, "keys"), { limit: LISTED }, { idOf: ({ key }) => key, also: queue });
  return html`
    <section aria-labelledby="keys">
      <h3 id="keys">Keys</h3>
      ${list.error && html`<${Problem} error=${list.error} />`}
      ${list.items?.length === 0 && html`<p class="quiet">It holds no task.</p>`}
      ${list.items?.length > 0 && html`
        <table class="runs keys">
          <thead><tr><th scope="col">key</th><th scope="col" class="count">tasks</th><th scope="col" class="count">ready</th>
            <th scope="col" class="count">running</th><th scope="col" class="count wide">weight</th></tr></thead>
          <tbody>${list.items.map((one) => html`<${Key} key=${one.key} queue=${queue.queue} one=${one} />`)}</tbody>
        </table>`}
      <${More} list=${list} noun="keys" />
    </section>`;
}

// What holds a key back has a line of its own: it is a sentence.
function Key({ queue, one }) {
  return html`
    <tr data-key=${one.key} class=${one.held_back ? "has-why" : undefined}>
      <th scope="row" title=${one.key}>${one.key ? html`<a data-row href=${tasksLink(queue, { key: one.key })}><${Told}
        text=${one.key} /></a>` : html`<${KeyName} />`}</th>
      <td class="count">${count(one.tasks)}</td><td class="count">${count(one.ready)}</td><td class="count">${count(one.running)}</td>
      <td class="count wide">${count(one.weight)}</td>
    </tr>
    ${one.held_back && html`<tr class="why"><td colspan="5"><${Told} text=${one.held_back} /></td></tr>`}`;
}
