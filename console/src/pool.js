// Pools of resources: the types as they fare, who waits and who holds. One type, resource, ticket and lease are in modules of their own.
import { useRef } from "preact/hooks";
import { tell, useLiveList } from "./api.js";
import { keepEscape, useCommand } from "./form.js";
import { Alerts } from "./pool_alerts.js";
import { Lease, Leases } from "./pool_leases.js";
import { ADMIN, API, filtersOf, of, PAGE, percent, resourceLink, ticketLink, typeLink } from "./pool_parts.js";
import { Resource } from "./pool_resource.js";
import { Ticket, Tickets } from "./pool_tickets.js";
import { Type } from "./pool_type.js";
import { useMay } from "./rights.js";
import { count, html, More, Problem, Told } from "./ui.js";

// Where the reader came from: a list with its filters. Escape and the links back lead there.
const above = {};

const ONE = { resources: Resource, tickets: Ticket, leases: Lease };

function Page({ path, query }) {
  const [kind, name, filters] = path;
  const One = ONE[kind];
  if (kind === "types" && name)
    return html`<${ByName} query=${query} /><${Type} key=${name} name=${name} filters=${filtersOf(filters)} above=${above} />`;
  if (One && name) return html`<${ByName} query=${query} /><${One} key=${name} name=${name} above=${above} />`;
  return html`
    <${Types} query=${query} />
    ${!query && html`<${Alerts} />`}
    ${!query && html`<div class="pool columns"><${Tickets} /><${Leases} /></div>`}`;
}

// Names are whole ones: the pool has no search, and a look at a resource costs nothing.
function ByName({ query }) {
  return query ? html`<p class="by-id">The resource <a data-row href=${resourceLink(query)}><${Told} text=${query} /></a>, the ticket${" "}
    <a data-row href=${ticketLink(query)}><${Told} text=${query} /></a></p>` : null;
}

function Types({ query }) {
  const list = useLiveList(`${API}/types`, { limit: PAGE }, { idOf: ({ type }) => type });
  const shown = list.items?.filter(({ type }) => type.toLowerCase().includes(query.toLowerCase())) ?? [];
  const mayMake = useMay(ADMIN);
  return html`
    <section class="pool" aria-labelledby="types">
      <h2 id="types">Types of resources</h2>
      <${ByName} query=${query} />
      ${list.error && html`<${Problem} error=${list.error} />`}
      ${!list.items && !list.error && html`<p class="empty">Loading…</p>`}
      ${list.items && shown.length === 0 && html`<p class="empty">${query ? html`No type has <q>${query}</q> in its name.`
        : "There is no type yet. What all resources of one kind have in common is their type."}</p>`}
      ${shown.length > 0 && html`
        <table class="runs types">
          <thead><tr><th scope="col">type</th><th scope="col" class="count">free</th><th scope="col" class="count">in use</th>
            <th scope="col" class="count wide">dirty</th><th scope="col" class="count wide">cleaning</th>
            <th scope="col" class="count wide broad">quarantined</th><th scope="col" class="count wide">of all</th>
            <th scope="col" class="count">waiting</th><th scope="col" class="count wide">used</th></tr></thead>
          <tbody>${shown.map((type) => html`<${Row} key=${type.type} type=${type} />`)}</tbody>
        </table>`}
      <${More} list=${list} noun="types" />
      ${list.items && !query && mayMake && html`<${NewType} />`}
    </section>`;
}

function Row({ type }) {
  const n = (state) => count(type.states[state] ?? 0);
  const bad = (is) => (is ? "count bad" : "count");
  return html`
    <tr data-type=${type.type}>
      <th scope="row"><a data-row href=${typeLink(type.type)} title=${type.type}><${Told} text=${type.type} /></a>
        ${type.drained && html` <span class="badge moving">drained</span>`}
        ${type.stuck > 0 && html` <span class="badge bad">${count(type.stuck)} stuck</span>`}
        ${(type.make_trouble || type.inventory.code) && html` <span class="badge bad">a hook fails</span>`}</th>
      <td class=${bad(type.waiting > 0 && !type.states.free)}>${n("free")}</td><td class="count">${n("in_use")}</td>
      <td class="count wide">${n("dirty")}</td><td class="count wide">${n("cleaning")}</td>
      <td class=${`${bad(type.states.quarantined > 0)} wide broad`}>${n("quarantined")}</td>
      <td class="count wide">${count(type.total)}</td><td class="count">${count(type.waiting)}</td>
      <td class="count wide">${percent(type.utilisation)}</td>
    </tr>`;
}

function NewType() {
  const command = useCommand();
  const name = useRef();
  const make = async (event) => {
    event.preventDefault();
    const type = name.current.value.trim();
    if (await command.run(() => tell("PUT", of("types", type), {}))) location.hash = typeLink(type);
  };
  return html`
    <form class="line" onSubmit=${make} onKeyDown=${keepEscape}>
      <label>New type <input ref=${name} name="type" required maxlength="100" autocomplete="off" spellcheck=${false} /></label>
      <button class="button" disabled=${command.busy}>Make it</button>
      ${command.error && html`<${Problem} error=${command.error} />`}
    </form>`;
}

export const page = {
  name: "pool",
  title: "Pool",
  find: "Find a type, a resource or a ticket by its name",
  Page,
  above: ([kind, name, filters]) => {
    if (kind === "types") return filters ? typeLink(name) : undefined;
    return above.list;
  },
};
