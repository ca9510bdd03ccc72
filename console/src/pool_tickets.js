// Tickets: who waits for what, where they stand, and what would end their wait.
import { useEffect, useRef, useState } from "preact/hooks";
import { get, tell, useLive, useLiveList } from "./api.js";
import { answering, Questions } from "./form.js";
import { API, leaseLink, of, PAGE, resourceLink, some, ticketLink, typeLink, Wants, WRITE } from "./pool_parts.js";
import { LookOnly, useMay } from "./rights.js";
import { Till } from "./times.js";
import { Absent, Age, count, Facts, html, More, Problem, Told, words } from "./ui.js";

const PLACES = 20;
const PLACES_MS = 1000;

// Where the first tickets of a list stand, by ticket: the list doesn't say, each ticket does. Asked at most once a second.
function usePlaces(items) {
  const [places, setPlaces] = useState({});
  const newest = useRef();
  newest.current = items;
  useEffect(() => {
    let stopped = false;
    let asked, timer;
    const look = async () => {
      if (asked !== newest.current) {
        asked = newest.current;
        const told = await Promise.all(asked.slice(0, PLACES).map(({ ticket }) => get(of("tickets", ticket)).catch(() => undefined)));
        if (stopped) return;
        setPlaces(Object.fromEntries(told.filter(Boolean).map((one) => [one.ticket, one])));
      }
      timer = setTimeout(look, PLACES_MS);
    };
    look();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }, [items === undefined]);
  return places;
}

// `type`: those that want some of it.
export function Tickets({ type }) {
  const list = useLiveList(`${API}/tickets`, { type, limit: PAGE }, { idOf: ({ ticket }) => ticket });
  const places = usePlaces(list.items);
  return html`
    <section aria-labelledby="tickets">
      <h3 id="tickets">In line</h3>
      ${list.error && html`<${Problem} error=${list.error} />`}
      ${list.items?.length === 0 && html`<p class="quiet">${list.next ? "None so far." : "Nobody waits."}</p>`}
      ${list.items?.length > 0 && html`
        <table class="runs tickets">
          <thead><tr><th scope="col">ticket</th><th scope="col">wants</th><th scope="col" class="count">place</th>
            <th scope="col" class="time wide">estimate</th><th scope="col" class="age">waits</th></tr></thead>
          <tbody>${list.items.map((one) => html`<${Row} key=${one.ticket} one=${one} at=${places[one.ticket] ?? {}} />`)}</tbody>
        </table>`}
      <${More} list=${list} noun="tickets" />
    </section>`;
}

function Row({ one, at }) {
  return html`
    <tr data-ticket=${one.ticket}>
      <th scope="row"><a data-row href=${ticketLink(one.ticket)} title=${one.ticket}><${Told} text=${one.ticket} /></a>
        <span class="quiet"> <${Told} text=${one.owner} /></span></th>
      <td><${Wants} wants=${one.wants} /></td>
      <td class="count">${one.from ? "ahead" : at.place === undefined ? "" : count(at.place + 1)}</td>
      <td class="time wide">${at.estimate_ms !== undefined && some(at.estimate_ms)}</td>
      <td class="age"><${Age} at=${one.asked_at} /></td>
    </tr>`;
}

export function Ticket({ name, above }) {
  const { data: why, error } = useLive(of("tickets", name, "why"));
  const up = above.list ?? "#/pool";
  if (!why) return html`<article class="pool"><${Absent} error=${error} up=${up} upName="the pool" /></article>`;
  const { ticket } = why;
  const waits = ticket.state === "waiting";
  return html`
    <article class="pool">
      <p><a href=${up}>← the pool</a></p>
      <h2><${Told} text=${name} /> <span class=${`badge ${waits ? "moving" : "plain"}`}>${words(ticket.state)}</span></h2>
      ${error && html`<${Problem} error=${error} />`}
      <${Facts} label="About it" facts=${[
        ["wants", html`<${Wants} wants=${ticket.wants} />`],
        ["owner", ticket.owner],
        ["why it is wanted", ticket.reason],
        ["lease", ticket.lease && html`<a data-row href=${leaseLink(ticket.lease)}>${ticket.lease}</a>`],
        ["place", waits && ticket.place !== undefined && count(ticket.place + 1)],
        ["estimate", waits && ticket.estimate_ms !== undefined && some(ticket.estimate_ms)],
        ["asked", html`<${Age} at=${ticket.asked_at} ago />`],
        ["priority", count(ticket.priority)],
        ["what is free is set aside for it", waits && ticket.firm_at && html`<${Till} at=${ticket.firm_at} />`],
        ["from", ticket.from && html`<${Till} at=${ticket.from} />`],
        ["leaves the line", ticket.until && html`<${Till} at=${ticket.until} />`],
      ]} />
      <section class="why" aria-labelledby="why"><h3 id="why">${waits ? "Why it waits" : "How it stands"}</h3>
        <p><${Told} text=${why.why} /></p></section>
      <${Acts} ticket=${ticket} />
      ${waits && why.wants.map((want, n) => html`<${Want} key=${n} want=${want} />`)}
    </article>`;
}

function Want({ want }) {
  const states = Object.entries(want.states).map(([state, n]) => `${count(n)} ${words(state)}`).join(", ");
  return html`
    <section class="want" aria-label=${`Of type ${want.type}`}>
      <h3>${count(want.count)} of <a href=${typeLink(want.type)}><${Told} text=${want.type} /></a></h3>
      <p>${count(want.fit)} fit${states && `: ${states}`}.${want.set_aside > 0 && ` ${count(want.set_aside)} are set aside for others.`}</p>
      ${want.freed_by.length > 0 && html`
        <table class="told-table"><thead><tr><th scope="col">resource</th><th scope="col">state</th><th scope="col">held by</th>
          <th scope="col">until</th></tr></thead>
          <tbody>${want.freed_by.map((one) => html`<tr key=${one.name} data-freer=${one.name}>
            <th scope="row"><a data-row href=${resourceLink(one.name)}><${Told} text=${one.name} /></a></th><td>${words(one.state)}</td>
            <td>${one.holder && html`<${Told} text=${one.holder} />`}</td>
            <td>${one.until && html`<${Till} at=${one.until} />`}</td></tr>`)}</tbody>
        </table>`}
    </section>`;
}

function Acts({ ticket }) {
  const may = useMay(WRITE);
  if (!may) return html`<${LookOnly} scope=${WRITE} />`;
  return ["waiting", "ahead"].includes(ticket.state) && html`<${Questions} label="Operate" questions=${[["Withdraw", Withdraw]]}
    ticket=${ticket} />`;
}

function Withdraw({ ticket, decide, busy }) {
  const send = answering(() => decide(() => tell("DELETE", of("tickets", ticket.ticket)), "It has left the line."));
  return html`
    <form class="line" onSubmit=${send}><button class="button" disabled=${busy}>Take it out of the line</button>
      <span class="quiet">It can't come back: a ticket is for one wish.</span></form>`;
}
