// One type: its resources by state, how they fare, when they will be exhausted, and its settings.
import { useEffect, useMemo, useRef } from "preact/hooks";
import { tell, useLive, useLiveList } from "./api.js";
import { Chart } from "./chart.js";
import { answering, Field, keepEscape, Questions, Tick } from "./form.js";
import { ADMIN, API, Marks, of, PAGE, percent, PHASES, resourceLink, some, State, typeLink } from "./pool_parts.js";
import { Tickets } from "./pool_tickets.js";
import { LookOnly, useMay } from "./rights.js";
import { SettingsForm } from "./settings_form.js";
import { Absent, Age, count, Facts, html, More, Problem, Told, useFresh, words } from "./ui.js";

export function Type({ name, filters, above }) {
  const { data: type, error } = useLive(of("types", name));
  useEffect(() => void (above.list = location.hash), [name, JSON.stringify(filters)]);
  if (!type) return html`<article class="pool"><${Absent} error=${error} up="#/pool" upName="all types" /></article>`;
  return html`
    <article class="pool">
      <p><a href="#/pool">← all types</a></p>
      <h2><${Told} text=${name} />${type.drained && html` <span class="badge moving">drained</span>`}</h2>
      ${error && html`<${Problem} error=${error} />`}
      ${type.drained && html`<p class="told">None of it is given out.${type.drain_reason && html`
        ${" "}<${Told} text=${type.drain_reason} />`}${type.drain && html` <${Drained} drain=${type.drain} />`}</p>`}
      <${States} type=${type} chosen=${filters.state} />
      <${Figures} type=${type} />
      <${Acts} type=${type} />
      <${Resources} type=${type} filters=${filters} />
      <div class="columns"><${Tickets} type=${name} /><${Forecast} name=${name} /></div>
      <details class="settings-of"><summary>Settings</summary><${Settings} type=${type} /></details>
    </article>`;
}

// How far it is.
const Drained = ({ drain }) => (drain.retire
  ? html`<span class="progress">${count(drain.retired)} of ${count(drain.retired + drain.left)} retired, ${count(drain.held)} held.</span>`
  : html`<span class="progress">${count(drain.held)} held still.</span>`);

function States({ type, chosen }) {
  const further = Object.keys(type.states).filter((state) => !PHASES.includes(state));
  return html`
    <ul class="chips" aria-label="Resources by state">
      <li><a class="chip" href=${typeLink(type.type)} aria-current=${chosen ? undefined : "true"}>all <b>${count(type.total)}</b></a></li>
      ${[...PHASES, ...further].map((state) => html`<li key=${state} data-state=${state}><a class="chip"
        href=${typeLink(type.type, { state })} aria-current=${state === chosen ? "true" : undefined}>${words(state)}${" "}
        <b>${count(type.states[state] ?? 0)}</b></a></li>`)}
      ${type.stuck > 0 && html`<li><a class="chip" href=${typeLink(type.type, { stuck: "true" })}>stuck
        ${" "}<b>${count(type.stuck)}</b></a></li>`}
    </ul>`;
}

function Figures({ type }) {
  const { inventory } = type;
  return html`
    <${Facts} label="How it fares" facts=${[
      ["held of what can be", percent(type.utilisation)],
      ["waiting", count(type.waiting)],
      ["a wait takes", some(type.waited_ms)],
      ["a lease takes", some(type.held_ms)],
      ["leases", count(type.leases)],
      ["ran out", count(type.expired)],
      ["broken", count(type.broken)],
      ["failed to be cleaned", count(type.clean_failures)],
      ["being made", type.making > 0 && count(type.making)],
      ["inventory read", inventory.read_at && html`<${Age} at=${inventory.read_at} ago />`],
      ["it told", inventory.read_at && `${count(inventory.told)}: ${count(inventory.taken)} taken in, ${count(inventory.differ)} differ,
        ${count(inventory.missing)} missing`],
    ]} />
    ${type.make_trouble && html`<p class="problem">The hook that makes more: <${Told} text=${type.make_trouble} /></p>`}
    ${inventory.code && html`<p class="problem">The inventory: <${Told} text=${inventory.detail ?? ""} />
      ${" "}<code>${inventory.code}</code></p>`}`;
}

function Acts({ type }) {
  const may = useMay(ADMIN);
  if (!may) return html`<${LookOnly} scope=${ADMIN} />`;
  const undrain = () => tell("POST", of("types", type.type, "drain"), { on: false });
  const sync = () => tell("POST", of("types", type.type, "inventory", "sync"), {});
  const questions = [["Add a resource", Add], ...(type.drained ? [] : [["Drain", Drain]]), ["Remove the type", Remove]];
  return html`<${Questions} label="Operate" questions=${questions} type=${type}>${({ run, busy }) => html`
    ${type.drained && html`<button type="button" class="button" disabled=${busy} onClick=${() => run(undrain, "It is given out again.")}
      >Give it out again</button>`}
    ${type.settings.inventory_url && html`<button type="button" class="button" disabled=${busy}
      onClick=${() => run(sync, "The inventory is read.")}>Read the inventory</button>`}`}<//>`;
}

function Drain({ type, decide, busy }) {
  const send = answering((data) => {
    const order = { on: true, reason: data.get("reason").trim(), ...(data.has("retire") && { retire: true }) };
    return decide(() => tell("POST", of("types", type.type, "drain"), order), "None of it is given out now.");
  });
  return html`
    <form class="line" onSubmit=${send}>
      <label>Why <input name="reason" maxlength="1000" autocomplete="off" /></label>
      <label><input type="checkbox" name="retire" /> retire what becomes free</label>
      <button class="button" disabled=${busy}>Give out none of it</button>
    </form>`;
}

const pairsIn = (text) => Object.fromEntries(text.split(/[,\n]/).map((pair) => pair.trim()).filter(Boolean).map((pair) => {
  const at = pair.indexOf("=");
  return at < 0 ? [pair, ""] : [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
}));

function Add({ type, decide, busy, problems }) {
  const send = answering((data) => {
    const number = ([name, text]) => [name, /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text];
    const numbers = Object.entries(pairsIn(data.get("numbers"))).map(number);
    const resource = { name: data.get("name").trim(), type: type.type, labels: pairsIn(data.get("labels")),
      numbers: Object.fromEntries(numbers),
      ...(data.has("verified") && { verified: true }) };
    return decide(() => tell("POST", `${API}/resources`, resource), `${resource.name} is there.`);
  });
  return html`
    <form class="settings" novalidate onSubmit=${send}>
      <${Field} name="name" label="Name" maxlength="200" problems=${problems} />
      <${Field} name="labels" label="Labels" hint="as series=noble, arch=amd64" problems=${problems} />
      <${Field} name="numbers" label="Numbers" hint="as memory_gb=16" problems=${problems} />
      ${type.settings.verification !== "none" && html`<${Tick} name="verified" label="it is clean: I looked" />`}
      <button class="button" disabled=${busy}>Add it</button>
    </form>`;
}

function Remove({ type, decide, busy }) {
  const send = answering(() =>
    decide(async () => {
      await tell("DELETE", of("types", type.type));
      location.hash = "#/pool";
    }, "It is removed."));
  return html`
    <form class="line" onSubmit=${send}><button class="button" disabled=${busy}>Remove ${type.type} and its settings</button>
      <span class="quiet">Only a type that nothing is of can be removed.</span></form>`;
}

function Resources({ type, filters }) {
  const list = useLiveList(`${API}/resources`, { type: type.type, ...filters, limit: PAGE }, { idOf: ({ name }) => name, also: type });
  const fresh = useFresh(list);
  return html`
    <section aria-labelledby="resources">
      <h3 id="resources">Resources</h3>
      <${Filters} key=${JSON.stringify(filters)} type=${type.type} filters=${filters} />
      ${list.error && html`<${Problem} error=${list.error} />`}
      ${!list.items && !list.error && html`<p class="empty">Loading…</p>`}
      ${list.items?.length === 0 && html`<p class="empty">${list.next ? "None so far." : Object.keys(filters).length > 0
        ? "No resource is like this." : "There is no resource of this type."}</p>`}
      ${list.items?.length > 0 && html`
        <table class="runs resources">
          <thead><tr><th scope="col">resource</th><th scope="col" class="phase">state</th><th scope="col">who</th>
            <th scope="col" class="wide">labels</th><th scope="col" class="count wide">health</th>
            <th scope="col" class="age">since</th></tr></thead>
          <tbody>${list.items.map((one) => html`<${Row} key=${one.name} one=${one} fresh=${fresh.has(one.name)} />`)}</tbody>
        </table>`}
      <${More} list=${list} noun="resources" />
    </section>`;
}

function Row({ one, fresh }) {
  const labels = Object.entries(one.labels).map(([name, value]) => `${name}=${value}`).join(", ");
  return html`
    <tr class=${fresh ? "fresh" : undefined} data-resource=${one.name}>
      <th scope="row"><a data-row href=${resourceLink(one.name)} title=${one.name}><${Told} text=${one.name} /></a></th>
      <td class="phase"><${State} state=${one.state} /><${Marks} of=${one} /></td>
      <td>${one.holder ? html`<${Told} text=${one.holder.owner} />` : one.by && html`<${Told} text=${one.by} />`}</td>
      <td class="wide" title=${labels}><${Told} text=${labels} /></td>
      <td class=${one.health.score < 75 ? "count wide bad" : "count wide"}>${one.health.score}</td>
      <td class="age"><${Age} at=${one.since} /></td>
    </tr>`;
}

function Filters({ type, filters }) {
  const form = useRef();
  const apply = (event) => {
    event.preventDefault();
    const chosen = Object.fromEntries([...new FormData(form.current)].map(([name, value]) => [name, value.trim()]));
    location.hash = typeLink(type, { ...(filters.state && { state: filters.state }), ...chosen });
  };
  const part = (name, label, placeholder) => html`<label>${label} <input name=${name} value=${filters[name] ?? ""} maxlength="400"
    placeholder=${placeholder} autocomplete="off" spellcheck=${false} onChange=${apply} /></label>`;
  const tick = (name) => html`<label><input type="checkbox" name=${name} value="true" checked=${filters[name] === "true"}
    onChange=${apply} /> ${name}</label>`;
  return html`
    <form ref=${form} class="line filters" aria-label="Filters" onSubmit=${apply} onKeyDown=${keepEscape}>
      ${part("owner", "held by")} ${part("label", "label", "series=noble")} ${tick("stuck")} ${tick("drained")}
      ${Object.keys(filters).length > 0 && html`<a href=${typeLink(type)}>all resources</a>`}
      <button class="unseen" tabindex="-1">Filter</button>
    </form>`;
}

function Forecast({ name }) {
  const { data, error } = useLive(of("forecast", name));
  const hours = data?.hours ?? [];
  const shown = useMemo(() => ({ times: hours.map(({ hour }) => Date.parse(hour) / 1000), free: hours.map(({ free }) => free) }), [data]);
  const days = data && `by the hours of the last ${data.days === 1 ? "day" : `${count(data.days)} days`}`;
  return html`
    <section aria-labelledby="forecast">
      <h3 id="forecast">Forecast</h3>
      ${error && html`<${Problem} error=${error} />`}
      ${data?.days === 0 && html`<p class="quiet">There was no hour yet to go by.</p>`}
      ${data?.exhausted_at && html`<p class="problem">Nothing will be left at ${new Date(data.exhausted_at).toLocaleTimeString([],
        { hour: "2-digit", minute: "2-digit" })}, ${days}.</p>`}
      ${data?.days > 0 && !data.exhausted_at && html`<p>It suffices for the next 24 hours, ${days}.</p>`}
      ${data?.days > 0 && html`<${Chart} times=${shown.times} label=${`Free resources expected over the next ${shown.times.length} hours.`}
        series=${[{ label: "free", colour: "--accent", values: shown.free }]} />`}
    </section>`;
}

const CLEANERS = [["queue", "a worker of a queue"], ["asked", "whoever asks for dirty ones"], ["none", "nobody: it is free at once"]];
const VERIFIERS = [["none", "nobody"], ["worker", "the worker who cleans"], ["hook", "a hook"]];
const PREFERRED = [["warm", "the one that was used last"], ["rested", "the one that rested longest"]];
const GROUPS = [
  ["Leases", [
    ["lease_ms", "A lease lasts", "as 500 ms, 30 s, 5 min, 1 h, 7 d", "duration"],
    ["heartbeat_ms", "A holder is heard of at least each", "0: needn't be", "duration"],
    ["quota", "One owner holds at most", "0: any number", "number"],
    ["patience_ms", "What is free is set aside for who waited", "", "duration"],
    ["prefer", "Of the free ones, given first", "", "choice", PREFERRED],
    ["states", "Further states", "One a line: parked: dirty, quarantined", "states"],
  ]],
  ["Cleaning", [
    ["cleaning", "Cleaned by", "", "choice", CLEANERS],
    ["clean_queue", "Its queue", "Empty: pool-clean- and the type", "text"],
    ["clean_ms", "A cleaner is heard of at least each", "", "duration"],
    ["clean_attempts", "Failures before quarantine", "", "number"],
    ["clean_wait_ms", "Wait before the second attempt", "", "duration"],
    ["verification", "Who says that it may be free", "", "choice", VERIFIERS],
    ["verify_url", "The hook that says so", "", "text"],
    ["dirty_alert_ms", "Stuck once dirty for", "0: never", "duration"],
    ["cleaning_alert_ms", "Stuck once being cleaned for", "0: never", "duration"],
    ["alert_url", "The hook that is told of what is stuck or in quarantine", "", "text"],
  ]],
  ["Made and destroyed", [
    ["min", "At least", "", "number"],
    ["max", "At most", "0: none is made", "number"],
    ["lifetime_ms", "One that was made lives for", "0: for ever", "duration"],
    ["idle_ms", "One that nobody needs goes after", "0: never", "duration"],
    ["make_url", "The hook that makes one", "", "text"],
    ["destroy_url", "The hook that destroys one", "", "text"],
    ["inventory_url", "The hook that tells what there is", "", "text"],
  ]],
];

function Settings({ type }) {
  const send = async (settings) => (await tell("PUT", of("types", type.type), settings)).settings;
  return html`<${SettingsForm} groups=${GROUPS} now=${type.settings} send=${send} scope=${ADMIN} />`;
}
