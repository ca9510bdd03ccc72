// What the pages of one queue share: the way up, its name, whether it is paused, and the ways between them.
import { useLive } from "./api.js";
import { ofQueue, queueLink } from "./queue_parts.js";
import { Till } from "./times.js";
import { Absent, html, Problem, Told } from "./ui.js";

const PARTS = [["", "Now"], ["tasks", "Tasks"], ["put", "Put a task"], ["settings", "Settings"]];

// `children` draws what is within, of the queue as it is now.
export function QueueFrame({ name, part, children: draw }) {
  const { data: queue, error } = useLive(ofQueue(name));
  if (!queue) return html`<article class="queue"><${Absent} error=${error} up="#/queue" upName="all queues" /></article>`;
  return html`
    <article class="queue">
      <p><a href="#/queue">← all queues</a></p>
      <h2><${Told} text=${name} />${queue.paused && html` <span class="badge moving">paused</span>`}</h2>
      ${queue.paused && html`<p class="paused">Nothing of it is started${queue.paused_until
        ? html`: it goes on <${Till} at=${queue.paused_until} />` : " until somebody resumes it"}.${queue.pause_reason
        && html` <${Told} text=${queue.pause_reason} />`}</p>`}
      <nav class="parts" aria-label="Of this queue">${PARTS.map(([part_name, title]) => html`
        <a key=${part_name} href=${part_name ? queueLink(name, part_name) : queueLink(name)}
          aria-current=${part_name === part ? "page" : undefined}>${title}</a>`)}</nav>
      ${error && html`<${Problem} error=${error} />`}
      ${draw(queue)}
    </article>`;
}
