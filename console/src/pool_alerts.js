// What needs somebody: resources that are stuck or in quarantine, hooks that fail, types of which nothing is left.
import { useLiveList } from "./api.js";
import { API, PAGE, resourceLink, State, typeLink } from "./pool_parts.js";
import { Age, html, More, Problem, Told, words } from "./ui.js";

const idOf = ({ what, type, resource = "", reason }) => (resource ? `/${resource}` : `${what}/${type}/${reason}`);

export function Alerts() {
  const list = useLiveList(`${API}/alerts`, { limit: PAGE }, { idOf });
  if (!list.error && !list.items?.length) return null;
  return html`
    <section class="pool" aria-labelledby="alerts">
      <h2 id="alerts">What needs somebody</h2>
      ${list.error && html`<${Problem} error=${list.error} />`}
      ${list.items?.length > 0 && html`
        <table class="runs alerts">
          <thead><tr><th scope="col">what</th><th scope="col">of</th><th scope="col" class="wide">why</th>
            <th scope="col" class="age">since</th></tr></thead>
          <tbody>${list.items.map((one) => html`<${Row} key=${idOf(one)} one=${one} />`)}</tbody>
        </table>`}
      <${More} list=${list} noun="alerts" />
    </section>`;
}

function Row({ one }) {
  return html`
    <tr data-alert=${one.resource ?? one.type}>
      <th scope="row"><span class="badge bad">${words(one.what)}</span>${one.state && one.state !== one.what
        && html` <${State} state=${one.state} />`}</th>
      <td>${one.resource ? html`<a data-row href=${resourceLink(one.resource)}><${Told} text=${one.resource} /></a>`
        : html`<a data-row href=${typeLink(one.type)}><${Told} text=${one.type} /></a>`}</td>
      <td class="wide" title=${one.reason}><${Told} text=${one.reason} /></td>
      <td class="age">${one.since && html`<${Age} at=${one.since} />`}</td>
    </tr>`;
}
