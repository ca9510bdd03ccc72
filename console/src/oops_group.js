// One group of reports: what is known of it, what people decide about it, its buckets and its reports.
import { useEffect, useRef, useState } from "preact/hooks";
import { tell, useLive, useLiveList } from "./api.js";
import { Counts } from "./oops_counts.js";
import { Absent, API, count, Facts, groupLink, keepEscape, Kind, Level, Moment, projectLink, Releases, StatusBadge, Title, Told, useCommand,
  Web } from "./oops_parts.js";
import { Reports } from "./oops_reports.js";
import { nameOf, useSession } from "./session.js";
import { store } from "./store.js";
import { Age, html, More, Problem } from "./ui.js";

const MERGE_CHOICES = 20;

// Merges and splits of this tab that can be undone: { id, text, groups }.
const moves = store([]);

export function Group({ id, above }) {
  const { data, error } = useLive(`${API}/groups/${encodeURIComponent(id)}`);
  const list = above.project ?? (data && projectLink(data.group.project));
  useEffect(() => {
    if (data) Object.assign(above, { project: list, group: groupLink(id) });
  }, [list]);
  if (!data) return html`<${Absent} error=${error} up=${list ?? "#/oops"} upName="groups" />`;
  const { group, buckets, buckets_complete } = data;
  return html`
    <article class="oops">
      <p><a href=${list}>← groups</a></p>
      <h2><${Title} of=${group} /></h2>
      <p><${Level} level=${group.level} /> <${StatusBadge} status=${group.status} /><${Kind} kind=${group.kind} /></p>
      ${error && html`<${Problem} error=${error} />`}
      <${Facts} label="Figures" facts=${[
        ["reports", count(group.count)],
        ["first seen", group.count > 0 && html`<${Age} at=${group.first_seen} ago />`],
        ["last seen", group.count > 0 && html`<${Age} at=${group.last_seen} ago />`],
        ["releases", (group.first_release || group.last_release) && html`<${Releases} group=${group} />`],
        ["resolved in", group.status === "resolved" && (group.resolved_in || "whatever comes next")],
        ["ignored until", group.status === "ignored" && html`<${Until} at=${group.ignored_until} />`],
        ["assigned to", group.assignee],
        ["bug", group.bug && html`<${Web} url=${group.bug} />`],
      ]} />
      <${Moves} id=${id} />
      ${group.merged_into
        ? html`<p>This group went into <a data-row href=${groupLink(group.merged_into)}>${group.merged_into}</a>.</p>`
        : html`<${Decisions} group=${group} />
            <${Counts} id=${id} />
            <${Buckets} group=${group} buckets=${buckets} complete=${buckets_complete} />
            <${Reports} title="Reports, newest first" parameters=${{ group: id }}
              empty="No report of this group has been kept: they are counted only." />`}
    </article>`;
}

const Until = ({ at }) => (at ? html`<${Moment} at=${at} />` : "somebody reopens it");

function Moves({ id }) {
  const command = useCommand();
  const here = moves.use().filter((move) => move.groups.includes(id));
  const undo = (move) =>
    command.run(
      () => tell("POST", `${API}/moves/${move.id}/undo`, {}).then(() => moves.set(moves.get().filter((m) => m !== move))),
      `${move.id} is undone.`,
    );
  return html`
    ${here.map((move) => html`<p key=${move.id} class="moved">${move.text}${" "}
      <button type="button" class="button small" disabled=${command.busy} onClick=${() => undo(move)}>Undo ${move.id}</button></p>`)}
    ${command.error && html`<${Problem} error=${command.error} />`}
    <p class="unseen" role="status">${command.said}</p>`;
}

function moved(reply, text) {
  const groups = [reply.group, ...reply.buckets.map((b) => b.from)];
  moves.set([...moves.get(), { id: reply.id, text, groups: [...new Set(groups)] }]);
}

// Questions about a group, one at a time: asked by a button, closed when they are answered, or by Escape.
function Decisions({ group }) {
  const command = useCommand();
  const [asked, setAsked] = useState();
  const place = useRef();
  useEffect(() => place.current.querySelector(".question input")?.focus(), [asked]);
  const close = () => {
    place.current.querySelector("[aria-expanded=true]")?.focus();
    setAsked(undefined);
  };
  const decide = async (act, saying) => (await command.run(act, saying)) && close();
  const change = (fields, saying) => decide(() => tell("PATCH", `${API}/groups/${group.id}`, fields), saying);
  const merge = (ids) =>
    decide(async () => {
      const reply = await tell("POST", `${API}/groups/${group.id}/merge`, { groups: ids });
      moved(reply, `${ids.join(", ")} went into ${reply.group}.`);
    }, "Merged.");
  const onKey = (event) => {
    if (event.key !== "Escape" || !asked) return;
    event.stopPropagation();
    close();
  };
  const Question = QUESTIONS[asked];
  return html`
    <section class="decisions" aria-label="Decisions" ref=${place} onKeyDown=${onKey}>
      <p class="buttons">${Object.keys(QUESTIONS).map((name) => html`<button key=${name} type="button" class="button"
          aria-expanded=${asked === name} onClick=${() => setAsked(asked === name ? undefined : name)}>${name}</button>`)}
        ${group.status !== "open" && html`<button type="button" class="button" disabled=${command.busy}
          onClick=${() => change({ status: "open" }, "It is open again.")}>Reopen</button>`}</p>
      ${Question && html`<div class="question"><${Question} key=${asked} group=${group} change=${change} merge=${merge}
        busy=${command.busy} /></div>`}
      ${command.error && html`<${Problem} error=${command.error} />`}
      <p class="outcome quiet" role="status">${command.said}</p>
    </section>`;
}
const answering = (send) => (event) => {
  event.preventDefault();
  send(new FormData(event.currentTarget), event.submitter);
};

function Resolve({ group, change, busy }) {
  const send = answering((data) => {
    const release = data.get("release").trim();
    return change({ status: "resolved", ...(release && { resolved_in: release }) }, `Resolved${release ? ` in ${release}` : ""}.`);
  });
  return html`
    <form class="line" onSubmit=${send}>
      <label>In release <input name="release" maxlength="1000" autocomplete="off" placeholder=${group.last_release} /></label>
      <button class="button" disabled=${busy}>Resolve it</button>
      <span class="quiet">A report of this release or a later one is a regression; without a release, any report is.</span>
    </form>`;
}

function Ignore({ change, busy }) {
  const send = answering((data) => {
    const until = data.get("until");
    return change({ status: "ignored", ...(until && { ignored_until: new Date(until).toISOString() }) }, "Ignored.");
  });
  return html`
    <form class="line" onSubmit=${send}>
      <label>Until <input name="until" type="datetime-local" /></label>
      <button class="button" disabled=${busy}>Ignore it</button>
      <span class="quiet">Without a time, until somebody reopens it.</span>
    </form>`;
}

function Assign({ group, change, busy }) {
  const session = useSession();
  const me = !session.open && session.caller ? nameOf(session) : "";
  const send = answering((data, button) => {
    const person = button?.value === "me" ? me : data.get("person").trim();
    return change({ assignee: person }, person ? `Assigned to ${person}.` : "Assigned to nobody.");
  });
  return html`
    <form class="line" onSubmit=${send}>
      <label>Person <input name="person" maxlength="200" autocomplete="off" value=${group.assignee} /></label>
      <button class="button" disabled=${busy}>Assign it</button>
      ${me && html`<button class="button" value="me" disabled=${busy}>to me</button>`}
      <span class="quiet">Empty: to nobody.</span>
    </form>`;
}

function Bug({ group, change, busy }) {
  const send = answering((data) => {
    const bug = data.get("bug").trim();
    return change({ bug }, bug ? "The bug is linked." : "No bug is linked.");
  });
  return html`
    <form class="line" onSubmit=${send}>
      <label>Address of the bug <input name="bug" maxlength="2000" autocomplete="off" value=${group.bug} /></label>
      <button class="button" disabled=${busy}>Link it</button>
      <span class="quiet">Empty: none.</span>
    </form>`;
}

function Merge({ group, merge, busy }) {
  const [title, setTitle] = useState("");
  const [chosen, setChosen] = useState([]);
  const list = useLiveList(`${API}/groups`, { project: group.project, title, limit: MERGE_CHOICES });
  const others = (list.items ?? []).filter((other) => other.id !== group.id);
  const toggle = (id, isOn) => setChosen((was) => (isOn ? [...was, id] : was.filter((one) => one !== id)));
  return html`
    <form class="merge" onSubmit=${answering(() => merge(chosen))}>
      <label>Groups to put into this one: part of the title <input value=${title} maxlength="200" autocomplete="off"
        onChange=${(event) => setTitle(event.target.value.trim())}
        onKeyDown=${(event) => event.key === "Enter" && (event.preventDefault(), setTitle(event.target.value.trim()))} /></label>
      ${list.error && html`<${Problem} error=${list.error} />`}
      ${list.items && others.length === 0 && html`<p class="quiet">No other group is like this.</p>`}
      <ul class="choices">${others.map((other) => html`<li key=${other.id}><label>
        <input type="checkbox" checked=${chosen.includes(other.id)} onChange=${(event) => toggle(other.id, event.target.checked)} />
        ${" "}<${Told} text=${other.title} /> <span class="quiet">${other.id}, ${count(other.count)}</span></label></li>`)}</ul>
      <${More} list=${list} noun="groups" />
      <button class="button" disabled=${busy || chosen.length === 0}>Merge ${chosen.length} into this one</button>
    </form>`;
}

const QUESTIONS = { Resolve, Ignore, Assign, Bug, Merge };

// What a group is made of; some of it may be a group of its own.
function Buckets({ group, buckets, complete }) {
  const [chosen, setChosen] = useState([]);
  const command = useCommand();
  const known = chosen.filter((id) => buckets.some((bucket) => bucket.id === id));
  const several = buckets.length > 1;
  const toggle = (id, isOn) => setChosen((was) => (isOn ? [...was, id] : was.filter((one) => one !== id)));
  const split = (event) => {
    event.preventDefault();
    return command.run(async () => {
      const reply = await tell("POST", `${API}/groups/${group.id}/split`, { buckets: known });
      setChosen([]);
      moved(reply, html`${known.join(", ")} went to <a href=${groupLink(reply.group)}>${reply.group}</a>.`);
    }, "Split off.");
  };
  return html`
    <section aria-labelledby="buckets">
      <h3 id="buckets">Buckets <span class="quiet">each of one fingerprint</span></h3>
      <form onSubmit=${split} onKeyDown=${keepEscape}>
        <table class="runs buckets">
          <thead><tr>${several && html`<td class="tick"></td>`}<th scope="col">bucket</th><th scope="col" class="count">count</th>
            <th scope="col" class="age">last</th><th scope="col" class="age wide">first</th></tr></thead>
          <tbody>${buckets.map((bucket) => html`<tr key=${bucket.id} data-bucket=${bucket.id}>
            ${several && html`<td class="tick"><input type="checkbox" aria-label=${`Choose ${bucket.id}: ${bucket.title}`}
              checked=${known.includes(bucket.id)} onChange=${(event) => toggle(bucket.id, event.target.checked)} /></td>`}
            <th scope="row" title=${bucket.title}><span class="quiet">${bucket.id}</span> <${Told} text=${bucket.title} /></th>
            <td class="count">${count(bucket.count)}</td><td class="age"><${Age} at=${bucket.last_seen} /></td>
            <td class="age wide"><${Age} at=${bucket.first_seen} /></td></tr>`)}</tbody>
        </table>
        ${several && html`<button class="button" disabled=${command.busy || known.length === 0}>Split off ${known.length}</button>`}
        ${complete === false && html`<p class="quiet">There are more buckets than these.</p>`}
        ${command.error && html`<${Problem} error=${command.error} />`}
        <p class="unseen" role="status">${command.said}</p>
      </form>
    </section>`;
}
