// Rules: the services whose events become tasks here, how far each has come, and what is wrong. They are made by the API.
import { tell, useLiveList } from "./api.js";
import { useCommand } from "./form.js";
import { API, OPERATE, PAGE, queueLink } from "./queue_parts.js";
import { useMay } from "./rights.js";
import { Age, count, html, More, Problem, Told } from "./ui.js";

const TONES = { caught_up: "good", behind: "moving", starting: "moving", backing_off: "bad", halted: "bad" };
const WORDS = { caught_up: "caught up", backing_off: "tries again" };

// Nothing where there are none, as on most sites; what keeps it from being read is told with the queues above it.
export function Rules() {
  const list = useLiveList(`${API}/rules`, { limit: PAGE }, { idOf: ({ rule }) => rule });
  const may = useMay(OPERATE);
  if (list.error || !list.items?.length) return null;
  return html`
    <section class="queue rules" aria-labelledby="rules">
      <h3 id="rules">Tasks made of events</h3>
      <table class="runs">
        <thead><tr><th scope="col">rule</th><th scope="col">source</th><th scope="col">queue</th><th scope="col" class="count">tasks</th>
          <th scope="col" class="count" title="events of the source that it hasn't looked at yet">behind</th>
          <th scope="col" class="age" title="when the newest event that became a task had happened">newest</th>
          <th scope="col">state</th></tr></thead>
        <tbody>${list.items.map((rule) => html`<${Row} key=${rule.rule} rule=${rule} may=${may} />`)}</tbody>
      </table>
      <${More} list=${list} noun="rules" />
    </section>`;
}

function Row({ rule, may }) {
  const command = useCommand();
  const { settings, error } = rule;
  const verb = rule.state === "paused" || rule.state === "halted" ? "resume" : "pause";
  const send = () => command.run(() => tell("POST", `${API}/rules/${encodeURIComponent(rule.rule)}/${verb}`, {}));
  return html`
    <tr data-rule=${rule.rule} data-state=${rule.state}>
      <th scope="row"><${Told} text=${rule.rule} /></th>
      <td><${Told} text=${settings.source} /> <span class="quiet">${settings.types.join(", ")}</span></td>
      <td><a href=${queueLink(settings.queue)}><${Told} text=${settings.queue} /></a></td>
      <td class="count">${count(rule.tasks)}</td><td class="count">${count(rule.behind)}</td>
      <td class="age"><${Age} at=${rule.last_event_at} /></td>
      <td><span class=${`badge ${TONES[rule.state] ?? "plain"}`}>${WORDS[rule.state] ?? rule.state}</span>
        ${error && html` <span class="quiet"><code>${error.code}</code> <${Told} text=${error.detail} /></span>`}
        ${may && html` <button type="button" class="button" disabled=${command.busy} onClick=${send}>${verb}</button>`}
        ${command.error && html`<${Problem} error=${command.error} />`}</td>
    </tr>`;
}
