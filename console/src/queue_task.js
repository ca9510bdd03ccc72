// One task: where it is and why it doesn't run, its payload, what became of each attempt, and what people do with it.
import { useEffect, useState } from "preact/hooks";
import { tell, tellText, useLive } from "./api.js";
import { answering, Field, numberIn, Questions } from "./form.js";
import { KeyName, ofTask, OPERATE, queueLink, State, taskLink, tasksLink } from "./queue_parts.js";
import { bodyOf, PayloadFields, payloadIn } from "./queue_put.js";
import { memberOf, pretty } from "./raw_json.js";
import { LookOnly, useMay } from "./rights.js";
import { durationIn, Till } from "./times.js";
import { Absent, Age, count, Facts, html, Moment, Problem, Told } from "./ui.js";

export function Task({ id, above }) {
  const { data, error } = useLive(ofTask(id));
  const { data: why, error: why_error } = useLive(ofTask(id, "why"));
  const [last, setLast] = useState();
  useEffect(() => void (data && setLast(data)), [data]);
  const up = above.tasks ?? (last ? tasksLink(last.task.queue) : "#/queue");
  if (!data) return html`<article class="queue"><${Absent} error=${error} up=${up} upName="tasks" />${last && html`
    <p class="quiet">It was <${State} state=${last.task.state} /> in <a href=${queueLink(last.task.queue)}><${Told}
      text=${last.task.queue} /></a> when it was last seen here.</p>`}</article>`;
  const { task } = data;
  return html`
    <article class="queue">
      <p><a href=${up}>← tasks</a></p>
      <h2>${task.id} <${State} state=${task.state} /></h2>
      ${error && html`<${Problem} error=${error} />`}
      <${About} task=${task} />
      ${task.lease && html`<${Lease} task=${task} />`}
      <${Why} state=${task.state} why=${why} error=${why_error} />
      <${Acts} whole=${data} up=${up} />
      <${Content} whole=${data} />
      <${History} history=${data.history} />
    </article>`;
}

function About({ task }) {
  const filtered = (filters, name) => html`<a href=${tasksLink(task.queue, filters)}>${name}</a>`;
  return html`<${Facts} label="About it" facts=${[
    ["queue", html`<a href=${queueLink(task.queue)}><${Told} text=${task.queue} /></a>`],
    ["priority", count(task.priority)],
    ["put", html`<${Age} at=${task.put_at} ago />`],
    ["due", task.due_at && html`<${Till} at=${task.due_at} />`],
    [`${task.state} since`, task.since && html`<${Age} at=${task.since} ago />`],
    ["key", task.key && filtered({ key: task.key }, html`<${KeyName} name=${task.key} />`)],
    ["group", task.group && filtered({ group: task.group }, html`<${Told} text=${task.group} />`)],
    ["unique key", task.unique],
    ["tags", task.tags.length > 0 && task.tags.map((tag) => html`${filtered({ tag }, html`<${Told} text=${tag} />`)} `)],
    ["attempts that came to nothing", count(task.attempts)],
    ["starts", count(task.starts)],
  ]} />`;
}

function Lease({ task }) {
  const { lease } = task;
  const done = lease.progress_permille;
  return html`
    <section class="lease" aria-labelledby="lease">
      <h3 id="lease">It runs</h3>
      <${Facts} label="Its lease" facts=${[
        ["worker", lease.worker],
        ["since", html`<${Age} at=${lease.since} ago />`],
        ["ends, unless extended", html`<${Till} at=${lease.deadline} />`],
        ["lease", `l_${task.id.slice(2)}_${lease.fence}`],
        ["asked to stop", lease.cancel && "its worker is told with the next word from it"],
      ]} />
      ${(done !== undefined || lease.message) && html`<p>${done !== undefined && html`<progress max="1000" value=${done}
        aria-label="Progress"></progress> ${done / 10} % `}${lease.message && html`<${Told} text=${lease.message} />`}</p>`}
    </section>`;
}

// It comes by a stream of its own: what it says of another state than the task's is old, or early.
function Why({ state, why, error }) {
  if (error && error.status !== 410) return html`<${Problem} error=${error} />`;
  if (why?.task.state !== state || ["done", "leased"].includes(state)) return null;
  return html`
    <section class="why" aria-labelledby="why">
      <h3 id="why">Why it waits</h3>
      ${why.reasons.length === 0 && html`<p>Nothing holds it back: it is the next one.</p>`}
      ${why.reasons.length > 0 && html`<ul>${why.reasons.map((reason) => html`<li key=${reason}><${Told} text=${reason} /></li>`)}</ul>`}
      ${why.behind && html`<p>Before it: <a data-row href=${taskLink(why.behind)}>${why.behind}</a></p>`}
      ${why.ahead_of_it > 0 && html`<p class="quiet">${count(why.ahead_of_it)}${why.ahead_is_whole ? "" : " or more"} of its key run
        sooner.</p>`}
    </section>`;
}

// The answer as it was sent, asked for anew whenever the live one has another content.
function useSent(whole) {
  const { id } = whole.task;
  const [text, setText] = useState();
  useEffect(() => {
    const absent = new AbortController();
    setText(undefined);
    fetch(ofTask(id), { headers: { accept: "application/json" }, cache: "no-store", signal: absent.signal })
      .then(async (reply) => setText(reply.ok ? await reply.text() : ""))
      .catch(() => absent.signal.aborted || setText(""));
    return () => absent.abort();
  }, [id, whole.payload, whole.result]);
  const member = (name) => (text && memberOf(text, name)) ?? (whole[name] === undefined ? undefined : JSON.stringify(whole[name]));
  return { isThere: text !== undefined, payload: member("payload"), result: member("result") };
}

function textOf(base64) {
  try {
    const bytes = Uint8Array.from(atob(base64), (one) => one.charCodeAt(0));
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function Content({ whole }) {
  const sent = useSent(whole);
  const { payload_base64: base64, payload_url: url } = whole;
  const text = base64 && textOf(base64);
  const headers = Object.entries(whole.headers ?? {});
  return html`
    <section aria-labelledby="payload">
      <h3 id="payload">Payload <span class="quiet">${whole.content_type}</span></h3>
      ${sent.payload !== undefined && html`<pre class="payload" tabindex="0"><${Told} text=${pretty(sent.payload)} /></pre>`}
      ${base64 !== undefined && html`<pre class="payload" tabindex="0"><${Told} text=${text ?? base64} /></pre>
        <p class="quiet">${text === undefined ? "Bytes, as base64." : "Bytes that are text."}</p>`}
      ${url && html`<p>${/^https?:\/\//i.test(url) ? html`<a href=${url} rel="noopener noreferrer"><${Told} text=${url} /></a>`
        : html`<${Told} text=${url} />`} <code>${whole.payload_digest}</code></p>`}
    </section>
    ${headers.length > 0 && html`<section aria-labelledby="headers"><h3 id="headers">Headers</h3>
      <table class="told-table pairs"><tbody>${headers.map(([name, value]) => html`<tr key=${name}>
        <th scope="row"><${Told} text=${name} /></th><td><${Told} text=${value} /></td></tr>`)}</tbody></table></section>`}
    ${sent.result !== undefined && html`<section aria-labelledby="result"><h3 id="result">Result</h3>
      <pre class="payload" tabindex="0"><${Told} text=${pretty(sent.result)} /></pre></section>`}`;
}

function History({ history }) {
  return html`
    <section aria-labelledby="history">
      <h3 id="history">History, newest first</h3>
      ${history.length === 0 && html`<p class="quiet">No attempt has ended yet.</p>`}
      ${[...history].reverse().map((one, n) => html`<div class="history" key=${history.length - n} data-attempt=${one.what}>
        <p><b>${one.what}</b> <${Moment} at=${one.at} />${one.worker && html` <span class="quiet">by <${Told} text=${one.worker} /></span>`}
          ${one.retry_at && html` <span class="quiet">tried again <${Till} at=${one.retry_at} /></span>`}</p>
        ${one.reason && html`<p><${Told} text=${one.reason} /></p>`}
        ${one.detail && html`<pre tabindex="0"><${Told} text=${one.detail} /></pre>`}
        ${one.log.length > 0 && html`<pre tabindex="0"><${Told} text=${one.log.join("\n")} /></pre>`}
      </div>`)}
    </section>`;
}

const ASIDE = ["buried", "dead"];

function Acts({ whole, up }) {
  const may = useMay(OPERATE);
  if (!may) return html`<${LookOnly} scope=${OPERATE} />`;
  const { state } = whole.task;
  const isLeased = state === "leased";
  const offered = [
    ["Edit", Edit, !isLeased && state !== "done"],
    ["Move", Move, !isLeased],
    ["Stop it", Cancel, isLeased],
    ["Delete", Delete, !isLeased],
  ].filter(([, , isOffered]) => isOffered);
  const isAside = ASIDE.includes(state);
  const kick = () => tell("POST", ofTask(whole.task.id, "kick"), {});
  return html`<${Questions} label="Operate" questions=${offered} whole=${whole} up=${up}>${({ run, busy }) => (isAside
    || state === "delayed") && html`<button type="button" class="button" disabled=${busy} onClick=${() => run(kick, "It is ready.")}
    >${isAside ? "Kick" : "Run it now"}</button>`}<//>`;
}

// What a form shows of a payload: JSON as it was sent, bytes as text where they are text.
function shownOf(whole, sent) {
  const type = whole.content_type;
  if (whole.payload !== undefined) return { kind: "payload", text: pretty(sent.payload) };
  if (whole.payload_base64 === undefined) return {};
  const text = textOf(whole.payload_base64);
  const isPlain = text !== undefined && !text.includes("\r");  // a form's lines end otherwise
  return isPlain ? { kind: "text", text, type } : { kind: "payload_base64", text: whole.payload_base64, type };
}

function Edit({ whole, decide, busy, problems }) {
  const { task } = whole;
  const sent = useSent(whole);
  const [shown, setShown] = useState();
  // What somebody types stays, whatever comes meanwhile.
  useEffect(() => void (sent.isThere && !shown && setShown(shownOf(whole, sent))), [sent.isThere]);
  if (!shown) return html`<p class="empty">Loading…</p>`;
  const send = answering((data) =>
    decide(() => {
      const [priority, due] = [data.get("priority").trim(), data.get("due").trim()];
      const isSame = ["kind", "payload", "content_type"].every((name, n) =>
        (data.get(name) ?? "") === ([shown.kind, shown.text, shown.type][n] ?? ""));
      const content = isSame ? {} : payloadIn(data);
      const members = { ...content.members, ...(priority !== String(task.priority) && { priority: numberIn(priority) }),
        ...(due && { delay_ms: durationIn(due) }) };
      return tellText("PATCH", ofTask(task.id), bodyOf({ members, raw: content.raw }));
    }, "It is changed."));
  return html`
    <form class="settings" novalidate onSubmit=${send}>
      ${shown.kind ? html`<${PayloadFields} problems=${problems} kinds=${["payload", "text", "payload_base64"]} ...${shown} />`
        : html`<p class="quiet">The payload lies elsewhere: put another task to change it.</p>`}
      <${Field} name="priority" label="Priority" class="number" inputmode="numeric" defaultValue=${String(task.priority)}
        problems=${problems} />
      <${Field} name="due" label="Due in" class="number" hint="0: now; empty: as it is" at=${/^\/(delay_ms|due_at)/} problems=${problems} />
      <button class="button" disabled=${busy}>Change it</button>
    </form>`;
}

function Move({ whole, decide, busy }) {
  const send = answering((data) => {
    const queue = data.get("queue").trim();
    return decide(() => tell("POST", ofTask(whole.task.id, "move"), { queue }), `It is in ${queue}.`);
  });
  return html`
    <form class="line" onSubmit=${send}>
      <label>Into the queue <input name="queue" required maxlength="200" autocomplete="off" spellcheck=${false} /></label>
      <button class="button" disabled=${busy}>Move it</button>
    </form>`;
}

function Cancel({ whole, decide, busy }) {
  const send = answering((data) => {
    const reason = data.get("reason").trim();
    const ask = () => tell("POST", ofTask(whole.task.id, "cancel"), reason ? { reason } : {});
    return decide(ask, "Its worker is told with the next word from it.");
  });
  return html`
    <form class="line" onSubmit=${send}>
      <label>Why <input name="reason" maxlength="2000" autocomplete="off" /></label>
      <button class="button" disabled=${busy}>Ask its worker to stop</button>
    </form>`;
}

function Delete({ whole, up, decide, busy }) {
  const send = answering(() =>
    decide(async () => {
      await tell("DELETE", ofTask(whole.task.id));
      location.hash = up;
    }, "It is deleted."));
  return html`
    <form class="line" onSubmit=${send}><button class="button" disabled=${busy}>Delete ${whole.task.id}</button>
      <span class="quiet">Nobody can bring it back.</span></form>`;
}
