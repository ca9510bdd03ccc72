// Reports of a project that are grouped anew, and what people merged and split: how far it is, and the way back.
import { useRef } from "preact/hooks";
import { tell, useLiveList } from "./api.js";
import { numberIn } from "./form.js";
import { API, count, groupLink, keepEscape, Moment, PAGE, Told, useCommand } from "./oops_parts.js";
import { Age, html, More, Problem } from "./ui.js";

const LIST_MAX = 1000;
const GROUPS_SHOWN = 5;
const STATUS_TONES = { running: "moving", done: "good", cancelled: "plain" };
const person = (by) => by.replace(/^u_/, "");

export function Regroups({ number, isDraft }) {
  const list = useLiveList(`${API}/regroups`, { project: number, limit: LIST_MAX });
  const command = useCommand();
  const days = useRef();
  const begin = (event) => {
    event.preventDefault();
    const { value } = days.current;
    return command.run(() => tell("POST", `${API}/projects/${number}/regroup`, value.trim() ? { days: numberIn(value) } : {}), "It began.");
  };
  const act = (id, what, saying) => command.run(() => tell("POST", `${API}/regroups/${id}/${what}`, {}), saying);
  return html`
    <section class="regroups" aria-labelledby="regroups">
      <h3 id="regroups">Regroup <span class="quiet">what came before, by the rules that are set</span></h3>
      <form class="line" onSubmit=${begin} onKeyDown=${keepEscape}>
        <label>The reports of the last <input class="number" ref=${days} name="days" inputmode="numeric" autocomplete="off"
          placeholder="all" /> days</label>
        <button class="button" disabled=${command.busy}>Regroup</button>
        ${isDraft && html`<span class="quiet">The changes above are not set: a regroup doesn't go by them.</span>`}
        ${command.error && html`<${Problem} error=${command.error} />`}
      </form>
      <p class="unseen" role="status">${command.said}</p>
      ${list.error && html`<${Problem} error=${list.error} />`}
      ${list.items?.length > 0 && html`
        <table class="told-table">
          <thead><tr><th scope="col">regroup</th><th scope="col">of</th><th scope="col">how far</th><th scope="col">begun</th>
            <td></td></tr></thead>
          <tbody>${list.items.toReversed().map((one) => html`
            <${Regroup} key=${one.id} one=${one} act=${act} busy=${command.busy} />`)}</tbody>
        </table>`}
      <${More} list=${list} noun="regroups" />
    </section>`;
}

function Regroup({ one, act, busy }) {
  const { id, status, since, moved, undoes, undone_by } = one;
  const cancel = () => act(id, "cancel", `${id} is cancelled.`);
  const undo = () => act(id, "undo", `${id} is being undone.`);
  const isRunning = status === "running";
  const canUndo = !isRunning && !undoes && !undone_by && moved > 0;
  return html`
    <tr data-regroup=${id}>
      <th scope="row">${id} <span class=${`badge ${STATUS_TONES[status] ?? "plain"}`}>${status}</span></th>
      <td>${undoes ? `what ${undoes} moved` : since ? html`what came since <${Moment} at=${since} />` : "all reports"}</td>
      <td>${isRunning && html`<${Progress} of=${one} />`}${howFar(one)}${undone_by && html`,
        ${" "}<span class="quiet">undone by ${undone_by}</span>`}</td>
      <td><${Age} at=${one.begun_at} ago /> <span class="quiet">by <${Told} text=${person(one.by)} /></span></td>
      <td>${isRunning && html`<button type="button" class="button small" disabled=${busy} onClick=${cancel}>Cancel ${id}</button>`}
        ${canUndo && html`<button type="button" class="button small" disabled=${busy} onClick=${undo}>Undo ${id}</button>`}</td>
    </tr>`;
}
function howFar({ status, since, total, examined, moved, unreadable }) {
  const of = status === "running" ? ` of ${since ? "at most " : ""}${count(total)}` : "";
  return `${count(examined)}${of} looked at, ${count(moved)} moved${unreadable > 0 ? `, ${count(unreadable)} pruned` : ""}`;
}
// How many reports came since a time isn't known before they are looked at.
function Progress({ of: { id, since, total, examined } }) {
  const known = !since && total > 0;
  return html`<progress aria-label=${`How far ${id} is`} max=${known ? total : undefined} value=${known ? examined : undefined} />${" "}`;
}

export function Moves({ number }) {
  const list = useLiveList(`${API}/moves`, { project: number, limit: PAGE });
  const command = useCommand();
  const undo = (id) => command.run(() => tell("POST", `${API}/moves/${id}/undo`, {}), `${id} is undone.`);
  return html`
    <section class="moves" aria-labelledby="moves">
      <h3 id="moves">Merges and splits, newest first</h3>
      ${(list.error ?? command.error) && html`<${Problem} error=${list.error ?? command.error} />`}
      <p class="unseen" role="status">${command.said}</p>
      ${list.items?.length === 0 && html`<p class="empty">Nobody merged or split groups of this project.</p>`}
      ${list.items?.length > 0 && html`
        <table class="told-table">
          <thead><tr><th scope="col">move</th><th scope="col">from</th><th scope="col">to</th><th scope="col">when</th>
            <td></td></tr></thead>
          <tbody>${list.items.map((move) => html`<${Move} key=${move.id} move=${move} undo=${undo} busy=${command.busy} />`)}</tbody>
        </table>`}
      <${More} list=${list} noun="moves" />
    </section>`;
}

function Move({ move, undo, busy }) {
  const { id, kind, buckets, at, by, undone_by } = move;
  return html`
    <tr data-move=${id}>
      <th scope="row">${id} <span class="badge plain">${kind}</span></th>
      <td><${GroupsOf} ids=${buckets.map((one) => one.from)} /></td>
      <td><${GroupsOf} ids=${buckets.map((one) => one.to)} />
        <span class="quiet"> ${buckets.length === 1 ? "1 bucket" : `${count(buckets.length)} buckets`}</span></td>
      <td><${Age} at=${at} ago /> <span class="quiet">by <${Told} text=${person(by)} /></span></td>
      <td>${undone_by ? html`<span class="quiet">undone by ${undone_by}</span>`
        : html`<button type="button" class="button small" disabled=${busy} onClick=${() => undo(id)}>Undo ${id}</button>`}</td>
    </tr>`;
}

function GroupsOf({ ids }) {
  const each = [...new Set(ids)];
  const left = each.length - GROUPS_SHOWN;
  return html`${each.slice(0, GROUPS_SHOWN).map((id, n) => html`${n > 0 && ", "}<a data-row href=${groupLink(id)}>${id}</a>`)}
    ${left > 0 && ` and ${count(left)} more`}`;
}
