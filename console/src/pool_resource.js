// One resource: its state and holder, how sound it is, who had it and who broke it, and what an administrator does with it.
import { useEffect } from "preact/hooks";
import { tell, useLive } from "./api.js";
import { answering, Field, Questions } from "./form.js";
import { ADMIN, leaseLink, Marks, of, State, typeLink } from "./pool_parts.js";
import { taskLink } from "./queue_parts.js";
import { LookOnly, useMay } from "./rights.js";
import { durationIn, Till } from "./times.js";
import { Absent, Age, count, Facts, html, Moment, Problem, Told, words } from "./ui.js";

export function Resource({ name, above }) {
  const { data: one, error } = useLive(of("resources", name));
  const up = above.list ?? (one ? typeLink(one.type) : "#/pool");
  useEffect(() => void (one && (above.list ??= typeLink(one.type))), [one?.type]);
  if (!one) return html`<article class="pool"><${Absent} error=${error} up=${up} upName="resources" /></article>`;
  return html`
    <article class="pool">
      <p><a href=${up}>← resources</a></p>
      <h2><${Told} text=${name} /> <${State} state=${one.state} /><${Marks} of=${one} /></h2>
      ${error && html`<${Problem} error=${error} />`}
      <${About} one=${one} />
      <${Acts} one=${one} />
      ${one.data !== undefined && html`<section aria-labelledby="data"><h3 id="data">Data of its user</h3>
        <pre class="payload" tabindex="0"><${Told} text=${JSON.stringify(one.data, null, 2)} /></pre></section>`}
      <${History} one=${one} />
    </article>`;
}

function About({ one }) {
  const { holder, health } = one;
  return html`
    <${Facts} label="About it" facts=${[
      ["type", html`<a href=${typeLink(one.type)}><${Told} text=${one.type} /></a>`],
      ["held by", holder && html`<${Told} text=${holder.owner} />`],
      ["lease", holder && html`<a data-row href=${leaseLink(holder.lease)}>${holder.lease}</a>`],
      ["ends, unless extended", holder && html`<${Till} at=${holder.deadline} />`],
      [`${words(one.state)} since`, html`<${Age} at=${one.since} ago />`],
      ["by", one.by],
      ["until", one.until && html`<${Till} at=${one.until} />`],
      ["why", one.reason],
      ["cleaned by the task", one.clean_task && html`<a href=${taskLink(one.clean_task)}>${one.clean_task}</a>`],
      ["trouble", one.trouble],
      ["fence", String(one.fence)],
      ["labels", Object.entries(one.labels).map(([name, value]) => `${name}=${value}`).join(", ")],
      ["numbers", Object.entries(one.numbers).map(([name, value]) => `${name}=${value}`).join(", ")],
      ["added", html`<${Age} at=${one.added_at} ago />`],
    ]} />
    <${Facts} label="Health" facts=${[
      ["health, of 100", String(health.score)],
      ["leases", count(health.leases)],
      ["broken", count(health.broken)],
      ["ran out", count(health.expired)],
      ["failed to be cleaned", count(health.clean_failures)],
      ["last broken by", health.broken_by],
    ]} />`;
}

function Acts({ one }) {
  const may = useMay(ADMIN);
  if (!may) return html`<${LookOnly} scope=${ADMIN} />`;
  const isHeld = one.holder !== undefined;
  const questions = [
    ["Free", Free, !isHeld && one.state !== "free"],
    ["Hold", Hold, !isHeld && ["free", "reserved"].includes(one.state)],
    ["Quarantine", Quarantine, !isHeld && one.state !== "quarantined"],
    ["Clean", Clean, !isHeld],
    ["Drain", Drain, !one.drained],
    ["Steal", Steal, one.state !== "retired"],
    ["Remove", Remove, !isHeld],
  ].filter(([, , isOffered]) => isOffered);
  const undrain = () => tell("POST", of("resources", one.name, "drain"), { on: false });
  return html`<${Questions} label="Operate" questions=${questions} one=${one}>${({ run, busy }) => one.drained && html`<button type="button"
    class="button" disabled=${busy} onClick=${() => run(undrain, "It is given out again.")}>Give it out again</button>`}<//>`;
}

// A question that asks why, and whatever `children` ask; `verb` is the last part of the route, `orderIn` what the form says besides.
function Order({ one, decide, busy, problems, verb, saying, act, hint, needsReason = false, orderIn = () => ({}), children }) {
  const send = answering((data) => {
    const reason = data.get("reason").trim();
    const order = { ...orderIn(data), ...((reason || needsReason) && { reason }) };
    return decide(() => tell("POST", of("resources", one.name, verb), order), saying);
  });
  return html`
    <form class="settings" novalidate onSubmit=${send}>
      ${children}
      <${Field} name="reason" label="Why" maxlength="1000" problems=${problems} />
      <p class="buttons"><button class="button" disabled=${busy}>${act}</button></p>
      ${hint && html`<p class="quiet">${hint}</p>`}
    </form>`;
}

function Free(given) {
  const isHold = given.one.state === "reserved";
  return html`<${Order} ...${given} verb="free" act="Free it" saying=${(reply) => `It is ${words(reply.state)}.`}
    orderIn=${(data) => (data.has("verified") ? { verified: true } : {})} hint=${isHold ? "" : "It is cleaned first, unless it is clean."}>
    ${!isHold && html`<label class="tick-line"><input type="checkbox" name="verified" /> it is clean: I looked</label>`}<//>`;
}

const Quarantine = (given) => html`<${Order} ...${given} verb="quarantine" act="Quarantine it"
  saying="Nobody gets it until it is freed." />`;
const Clean = (given) => html`<${Order} ...${given} verb="clean" act="Have it cleaned" saying="It is to be cleaned." />`;
const Drain = (given) => html`<${Order} ...${given} verb="drain" act="Give it out no more" orderIn=${() => ({ on: true })}
  saying="It is given out no more, once it is back." />`;

function Hold(given) {
  const orderIn = (data) => ({ hold_ms: durationIn(data.get("hold_ms")),
    ...(data.get("owner").trim() && { owner: data.get("owner").trim() }) });
  return html`<${Order} ...${given} verb="hold" act="Keep it back" saying="It is kept back." needsReason orderIn=${orderIn}>
    <${Field} name="hold_ms" label="For" class="number" hint="as 30 min, 8 h, 7 d" defaultValue="1 h" problems=${given.problems} />
    <${Field} name="owner" label="For whom" hint="Empty: for you" maxlength="200" problems=${given.problems} /><//>`;
}

function Steal(given) {
  const { holder } = given.one;
  const orderIn = (data) => ({ ticket: data.get("ticket").trim(),
    ...(data.get("owner").trim() && { owner: data.get("owner").trim() }),
    ...(data.get("lease_ms").trim() && { lease_ms: durationIn(data.get("lease_ms")) }) });
  return html`<${Order} ...${given} verb="steal" act="Take it" needsReason orderIn=${orderIn}
    saying=${(reply) => `${reply.owner} has it, by ${reply.lease}.`}
    hint=${holder ? `${holder.owner} loses it at once, and it isn't cleaned.` : "It isn't cleaned."}>
    <${Field} name="ticket" label="For the ticket" hint="A new one" maxlength="200" problems=${given.problems} />
    <${Field} name="owner" label="Whose" hint="Empty: yours" maxlength="200" problems=${given.problems} />
    <${Field} name="lease_ms" label="For" class="number" hint="as 1 h; empty: as the type has it" problems=${given.problems} /><//>`;
}

function Remove({ one, decide, busy }) {
  const send = answering(() =>
    decide(async () => {
      await tell("DELETE", of("resources", one.name));
      location.hash = typeLink(one.type);
    }, "It is removed."));
  return html`
    <form class="line" onSubmit=${send}><button class="button" disabled=${busy}>Remove ${one.name}</button>
      <span class="quiet">One that a hook made is destroyed.</span></form>`;
}

function History({ one }) {
  const { data, error } = useLive(of("resources", one.name, "history"));
  return html`
    <section aria-labelledby="history">
      <h3 id="history">Who had it, newest first</h3>
      ${error && html`<${Problem} error=${error} />`}
      ${data?.items.length > 0 && html`
        <table class="told-table steps">
          <thead><tr><th scope="col">what</th><th scope="col">who</th><th scope="col">state</th><th scope="col">when</th>
            <th scope="col">why</th></tr></thead>
          <tbody>${data.items.map((item) => html`<tr key=${item.position} data-step=${item.what}>
            <th scope="row">${words(item.what)}${item.broken && html` <span class="badge bad">broken</span>`}</th>
            <td>${item.who && html`<${Told} text=${item.who} />`}${item.lease && html`
              ${" "}<a href=${leaseLink(item.lease)}>${item.lease}</a>`}</td>
            <td>${item.state && words(item.state)}</td><td><${Moment} at=${item.at} /></td>
            <td>${item.detail && html`<${Told} text=${item.detail} />`}</td></tr>`)}</tbody>
        </table>`}
      ${data?.complete === false && html`<p class="quiet">What was before is in the log no more, or not listed.</p>`}
    </section>`;
}
