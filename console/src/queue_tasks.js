// Lists of tasks, of one queue or of all: what they are narrowed to stands in the address. A search in payloads reads a bounded number of
// them, and goes on when it is told to; all others are live.
import { useEffect, useRef } from "preact/hooks";
import { useLiveList, useSearch } from "./api.js";
import { keepEscape } from "./form.js";
import { API, KeyName, PAGE, State, STATES, taskLink, tasksLink } from "./queue_parts.js";
import { durationIn, durationText, Till } from "./times.js";
import { Age, count, html, More, Problem, Told, useFresh } from "./ui.js";

// `bare`: a list alone, without the form of its filters.
export function Tasks({ queue, filters, above, bare = false }) {
  const name = queue?.queue;
  const parameters = { queue: name, ...filters, limit: PAGE };
  useEffect(() => void (above && (above.tasks = location.hash)), [name, JSON.stringify(filters)]);
  return html`
    ${!bare && html`<${Filters} key=${JSON.stringify(filters)} queue=${name} filters=${filters} />`}
    ${filters.text ? html`<${Searched} parameters=${parameters} />`
      : html`<${Listed} parameters=${parameters} filters=${filters} queue=${queue} />`}`;
}

function Filters({ queue, filters }) {
  const form = useRef();
  const apply = (event) => {
    event.preventDefault();
    const chosen = Object.fromEntries([...new FormData(form.current)].map(([name, value]) => [name, value.trim()]));
    if (chosen.older_than_ms) chosen.older_than_ms = String(durationIn(chosen.older_than_ms));
    location.hash = tasksLink(queue, chosen);
  };
  const part = (name, label, more = {}) => html`
    <label>${label} <input name=${name} value=${filters[name] ?? ""} maxlength="200" autocomplete="off" spellcheck=${false}
      onChange=${apply} ...${more} /></label>`;
  const older = filters.older_than_ms;
  return html`
    <form ref=${form} class="line filters" aria-label="Filters" onSubmit=${apply} onKeyDown=${keepEscape}>
      <label>state <select name="state" onChange=${apply}><option value="">any</option>
        ${STATES.map((state) => html`<option value=${state} selected=${filters.state === state}>${state}</option>`)}</select></label>
      ${queue !== undefined && html`${part("key", "key")} ${part("group", "group")}`} ${part("tag", "tag")}
      ${part("text", "text in the payload")}
      ${part("older_than_ms", "older than", { value: /^\d+$/.test(older) ? durationText(Number(older)) : (older ?? ""), class: "short",
        placeholder: "5 min" })}
      ${part("attempts_min", "attempts, at least", { class: "short", inputmode: "numeric" })}
      ${Object.keys(filters).length > 0 && html`<a href=${tasksLink(queue)}>all tasks</a>`}
      <button class="unseen" tabindex="-1">Filter</button>
    </form>`;
}

function Listed({ parameters, filters, queue }) {
  const list = useLiveList(`${API}/tasks`, parameters, { also: queue });
  const fresh = useFresh(list);
  const empty = Object.keys(filters).length > 0 ? "No task is like this." : "There is no task.";
  return html`<${Table} list=${list} fresh=${fresh} several=${!parameters.queue} empty=${empty} />`;
}

function Searched({ parameters }) {
  const list = useSearch(`${API}/tasks`, parameters);
  return html`<${Table} list=${list} fresh=${new Set()} several=${!parameters.queue} empty="No task is like this." />
    ${list.busy && html`<p class="quiet" role="status">Reading payloads…</p>`}`;
}

function Table({ list, fresh, several, empty }) {
  if (list.error && !list.items) return html`<${Problem} error=${list.error} />`;
  if (!list.items) return html`<p class="empty">Loading…</p>`;
  return html`
    ${list.error && html`<${Problem} error=${list.error} />`}
    ${list.items.length === 0 && html`<p class="empty">${list.next ? "None so far." : empty}</p>`}
    ${list.items.length > 0 && html`
      <table class="runs tasks">
        <thead><tr><th scope="col" class="id">task</th><th scope="col" class="state">state</th>
          ${several && html`<th scope="col">queue</th>`}<th scope="col">key, tags</th><th scope="col" class="count wide">priority</th>
          <th scope="col" class="count wide">attempts</th><th scope="col" class="note wide">since, until</th>
          <th scope="col" class="age">age</th></tr></thead>
        <tbody>${list.items.map((task) => html`<${Row} key=${task.id} task=${task} several=${several}
          fresh=${fresh.has(task.id)} />`)}</tbody>
      </table>`}
    ${!list.busy && html`<${More} list=${list} noun="tasks" />`}`;
}

function Row({ task, several, fresh }) {
  const { lease } = task;
  return html`
    <tr class=${fresh ? "fresh" : undefined} data-task=${task.id}>
      <th scope="row" class="id"><a data-row href=${taskLink(task.id)}>${task.id}</a></th>
      <td class="state"><${State} state=${task.state} /></td>
      ${several && html`<td title=${task.queue}><${Told} text=${task.queue} /></td>`}
      <td>${(task.key || task.tags.length === 0) && html`<${KeyName} name=${task.key} />`}${task.tags.map((tag) => html`
        ${" "}<span class="badge plain" key=${tag}><${Told} text=${tag} /></span>`)}</td>
      <td class="count wide">${count(task.priority)}</td><td class="count wide">${count(task.attempts)}</td>
      <td class="note wide">${lease && html`<${Told} text=${lease.worker} />${Number.isFinite(lease.progress_permille)
        && html`, ${Math.round(lease.progress_permille / 10)} %`}${lease.cancel && ", to stop"}`}
        ${task.due_at && html`<${Till} at=${task.due_at} />`}${task.since && html`<${Age} at=${task.since} ago />`}</td>
      <td class="age"><${Age} at=${task.put_at} /></td>
    </tr>`;
}
