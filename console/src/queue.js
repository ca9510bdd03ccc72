// Work queues: all of them as they fare, and the ways to one queue and to a task. Those are in modules of their own.
import { useMemo, useRef } from "preact/hooks";
import { get, tell, useLiveList } from "./api.js";
import { keepEscape, useCommand } from "./form.js";
import { QueueNow } from "./queue_now.js";
import { QueueFrame } from "./queue_one.js";
import { API, filtersOf, isTaskId, ofQueue, OPERATE, PAGE, queueLink, taskLink, tasksLink } from "./queue_parts.js";
import { Put } from "./queue_put.js";
import { Rules } from "./queue_rules.js";
import { Settings } from "./queue_settings.js";
import { Task } from "./queue_task.js";
import { Tasks } from "./queue_tasks.js";
import { useMay } from "./rights.js";
import { measured } from "./times.js";
import { Age, count, html, More, Problem, Told } from "./ui.js";

// Where the reader came from: a list with its filters, a queue. Escape and the links back lead there.
const above = {};

// Of a queue, beside how it fares.
const PARTS = { tasks: Tasks, put: Put, settings: Settings };

function Page({ path, query }) {
  const [kind, name, part, filters] = path;
  if (kind === "queues" && name)
    return html`<${OneQueue} key=${`${name} ${part}`} name=${name} part=${part} filters=${filtersOf(filters)} query=${query} />`;
  if (kind === "tasks" && isTaskId(name)) return html`<${ById} query=${query} /><${Task} key=${name} id=${name} above=${above} />`;
  if (kind === "tasks") return html`<${AllTasks} filters=${filtersOf(name)} query=${query} />`;
  return html`
    <${Queues} query=${query} />
    ${query && !isTaskId(query) && html`<section class="queue" aria-labelledby="tasks">
      <h3 id="tasks">Tasks whose payload has <q>${query}</q></h3><${Tasks} filters=${{ text: query }} bare /></section>`}`;
}

// A search stands above: what somebody types into a form stays.
function OneQueue({ name, part, filters, query }) {
  const Part = PARTS[part] ?? QueueNow;
  const text = isTaskId(query) ? "" : query;
  const isList = Part === Tasks;
  const chosen = isList && text ? { ...filters, text } : filters;
  return html`
    <${ById} query=${query} />
    <${QueueFrame} name=${name} part=${PARTS[part] ? part : ""}>${(queue) => html`
      ${text && !isList && html`<section aria-labelledby="found"><h3 id="found">Tasks whose payload has <q>${text}</q></h3>
        <${Tasks} queue=${queue} filters=${{ text }} bare /></section>`}
      <${Part} queue=${queue} filters=${chosen} above=${above} />`}<//>`;
}

function AllTasks({ filters, query }) {
  const chosen = query && !isTaskId(query) ? { ...filters, text: query } : filters;
  return html`
    <article class="queue">
      <p><a href="#/queue">← all queues</a></p>
      <h2>Tasks of all queues</h2>
      <${ById} query=${query} />
      <${Tasks} filters=${chosen} above=${above} />
    </article>`;
}

// A task that somebody was shown the id of.
function ById({ query }) {
  return isTaskId(query) ? html`<p class="by-id">The task <a data-row href=${taskLink(query)}><code>${query}</code></a></p>` : null;
}

function Queues({ query }) {
  const prefix = isTaskId(query) ? "" : query;
  const list = useLiveList(`${API}/queues`, { prefix, limit: PAGE }, { idOf: ({ queue }) => queue });
  const taken = useMemo(() => Date.now(), [list.items]);
  const mayOperate = useMay(OPERATE);
  return html`
    <section class="queue" aria-labelledby="queues">
      <h2 id="queues">Queues</h2>
      <${ById} query=${query} />
      ${list.error && html`<${Problem} error=${list.error} />`}
      ${!list.items && !list.error && html`<p class="empty">Loading…</p>`}
      ${list.items?.length === 0 && html`<p class="empty">${prefix ? html`No queue's name begins with <q>${prefix}</q>.`
        : "There is no queue yet. The first task that is put makes its queue."}</p>`}
      ${list.items?.length > 0 && html`
        <table class="runs queues">
          <thead><tr><th scope="col">queue</th><th scope="col" class="count" title="all that is not done">depth</th>
            <th scope="col" class="count">ready</th><th scope="col" class="count wide">running</th>
            <th scope="col" class="count wide">delayed</th><th scope="col" class="count wide">behind</th>
            <th scope="col" class="count wide">buried</th><th scope="col" class="count">dead</th><th scope="col" class="age">oldest</th>
            <th scope="col" class="time wide" title="95 % waited less, in this hour and the last">wait</th>
            <th scope="col" class="time wide" title="95 % ran less, in this hour and the last">run</th></tr></thead>
          <tbody>${list.items.map((queue) => html`<${Row} key=${queue.queue} queue=${queue} taken=${taken} />`)}</tbody>
        </table>`}
      <${More} list=${list} noun="queues" />
      ${list.items && !query && html`<p><a href=${tasksLink()}>Tasks of all queues</a></p>${mayOperate && html`<${NewQueue} />`}`}
    </section>
    ${!query && html`<${Rules} />`}`;
}

const p95 = (times) => (times.count > 0 ? measured(times.p95_ms) : html`<span class="quiet">–</span>`);

function Row({ queue, taken }) {
  const { counts, oldest_age_ms: age_ms } = queue;
  const oldest = age_ms === undefined ? undefined : new Date(taken - age_ms).toISOString();
  const bad = (n) => (n > 0 ? "count bad" : "count");
  return html`
    <tr data-queue=${queue.queue}>
      <th scope="row"><a data-row href=${queueLink(queue.queue)} title=${queue.queue}><${Told} text=${queue.queue} /></a>
        ${queue.paused && html` <span class="badge moving">paused</span>`}</th>
      <td class="count">${count(queue.depth)}</td><td class="count">${count(counts.ready)}</td>
      <td class="count wide">${count(counts.leased)}</td>
      <td class="count wide">${count(counts.delayed)}</td><td class="count wide">${count(counts.behind)}</td>
      <td class=${`${bad(counts.buried)} wide`}>${count(counts.buried)}</td><td class=${bad(counts.dead)}>${count(counts.dead)}</td>
      <td class="age"><${Age} at=${oldest} /></td>
      <td class="time wide">${p95(queue.wait)}</td><td class="time wide">${p95(queue.run)}</td>
    </tr>`;
}

function NewQueue() {
  const command = useCommand();
  const name = useRef();
  const make = async (event) => {
    event.preventDefault();
    const queue = name.current.value.trim();
    // A PUT of one that is there would set it to the defaults.
    const found = () => get(ofQueue(queue)).catch((error) => {
      if (error.code !== "queue_not_found") throw error;
      return tell("PUT", ofQueue(queue), { settings: {} });
    });
    if (await command.run(found)) location.hash = queueLink(queue, "settings");
  };
  return html`
    <form class="line" onSubmit=${make} onKeyDown=${keepEscape}>
      <label>New queue <input ref=${name} name="queue" required maxlength="200" autocomplete="off" spellcheck=${false} /></label>
      <button class="button" disabled=${command.busy}>Make it</button>
      ${command.error && html`<${Problem} error=${command.error} />`}
    </form>`;
}

export const page = {
  name: "queue",
  title: "Queues",
  find: "Find a queue, a task's id, text in payloads",
  Page,
  above: ([kind, name, part]) => {
    if (kind === "queues") return part ? queueLink(name) : undefined;
    return isTaskId(name) ? above.tasks : undefined;
  },
};
