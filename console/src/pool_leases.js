// Leases: who holds what, until when, and how it came back.
import { tell, useLive, useLiveList } from "./api.js";
import { answering, Questions } from "./form.js";
import { API, leaseLink, of, PAGE, resourceLink, State, ticketLink, WRITE } from "./pool_parts.js";
import { LookOnly, useMay } from "./rights.js";
import { durationText, Till } from "./times.js";
import { Absent, Age, Facts, html, More, Problem, Told, words } from "./ui.js";

export function Leases() {
  const list = useLiveList(`${API}/leases`, { limit: PAGE }, { idOf: ({ lease }) => lease });
  return html`
    <section aria-labelledby="leases">
      <h3 id="leases">Leases, oldest first</h3>
      ${list.error && html`<${Problem} error=${list.error} />`}
      ${list.items?.length === 0 && html`<p class="quiet">${list.next ? "None so far." : "Nobody holds anything."}</p>`}
      ${list.items?.length > 0 && html`
        <table class="runs leases">
          <thead><tr><th scope="col" class="id">lease</th><th scope="col">held by</th><th scope="col">resources</th>
            <th scope="col" class="time">ends</th></tr></thead>
          <tbody>${list.items.map((one) => html`<tr key=${one.lease} data-lease=${one.lease}>
            <th scope="row" class="id"><a data-row href=${leaseLink(one.lease)}>${one.lease}</a></th>
            <td title=${one.owner}><${Told} text=${one.owner} /></td>
            <td title=${names(one)}><${Told} text=${names(one)} /></td>
            <td class="time"><${Till} at=${one.deadline} /></td></tr>`)}</tbody>
        </table>`}
      <${More} list=${list} noun="leases" />
    </section>`;
}
const names = ({ resources }) => resources.map(({ name }) => name).join(", ");

export function Lease({ name, above }) {
  const { data: lease, error } = useLive(of("leases", name));
  const up = above.list ?? "#/pool";
  if (!lease) return html`<article class="pool"><${Absent} error=${error} up=${up} upName="the pool" /></article>`;
  return html`
    <article class="pool">
      <p><a href=${up}>← the pool</a></p>
      <h2>${lease.lease} <span class=${`badge ${lease.over ? "plain" : "good"}`}>${lease.over ? lease.how ?? "over" : "held"}</span></h2>
      ${error && html`<${Problem} error=${error} />`}
      <${Facts} label="About it" facts=${[
        ["held by", lease.owner],
        ["asked for by", lease.caller],
        ["why", lease.reason],
        ["ends with", lease.bound_to],
        ["ticket", html`<a href=${ticketLink(lease.ticket)}><${Told} text=${lease.ticket} /></a>`],
        ["since", html`<${Age} at=${lease.began_at} ago />`],
        ["last heard of", !lease.over && html`<${Age} at=${lease.heard_at} ago />`],
        ["ends, unless extended", !lease.over && html`<${Till} at=${lease.deadline} />`],
        ["is heard of each", lease.heartbeat_ms > 0 && durationText(lease.heartbeat_ms)],
        ["ended", lease.ended_at && html`<${Age} at=${lease.ended_at} ago />`],
        ["fence", String(lease.fence)],
      ]} />
      <${Acts} lease=${lease} />
      <section aria-labelledby="held"><h3 id="held">Its resources</h3>
        ${lease.resources.length === 0 && html`<p class="quiet">None any more.</p>`}
        <ul class="found">${lease.resources.map((one) => html`<li key=${one.name}><a data-row href=${resourceLink(one.name)}><${Told}
          text=${one.name} /></a> <${State} state=${one.state} /> <span class="quiet"><${Told} text=${one.type} /></span></li>`)}</ul>
      </section>
    </article>`;
}

function Acts({ lease }) {
  const may = useMay(WRITE);
  if (lease.over) return null;
  if (!may) return html`<${LookOnly} scope=${WRITE} />`;
  return html`<${Questions} label="Operate" questions=${[["Release", Release]]} lease=${lease} />`;
}

function Release({ lease, decide, busy }) {
  const send = answering((data) => {
    const reason = data.get("reason").trim();
    const order = { owner: lease.owner, ...(data.has("broken") && { broken: true }), ...(reason && { reason }) };
    return decide(() => tell("POST", of("leases", lease.lease, "release"), order), (reply) => `It is ${words(reply.how ?? "over")}.`);
  });
  return html`
    <form class="line" onSubmit=${send}>
      <label>Why <input name="reason" maxlength="1000" autocomplete="off" /></label>
      <label><input type="checkbox" name="broken" /> it is broken</label>
      <button class="button" disabled=${busy}>Give it back for ${lease.owner}</button>
    </form>`;
}
