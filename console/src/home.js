// The home page: how every service of the process is, now and over the last minutes, and what is wrong.
import { useEffect, useState } from "preact/hooks";
import { follow } from "./api.js";
import { useSession } from "./session.js";
import { alarms, bytes, History, keyOf, ownSite, services, short, sparkPath } from "./status.js";
import { html, Problem, span, useNow } from "./ui.js";

const STATUS = "_gantry/v1/status";
const OLD_MS = 4000;
const SPARK = { width: 120, height: 24 };

// Outlives the page, so that who comes back to it sees the minutes before; but not its reader.
let kept = { caller: undefined, history: new History(), status: undefined, taken_at: 0 };

// { status, history, taken_at, error }, about once a second. What was shown stays while the server is away.
function useStatus() {
  const { caller } = useSession();
  if (kept.caller !== caller) kept = { caller, history: new History() };
  const [answer, setAnswer] = useState(kept);
  useEffect(
    () =>
      follow(
        STATUS,
        (status) => {
          kept.history.take(status);
          kept = { ...kept, status, taken_at: Date.now() };
          setAnswer(kept);
        },
        (error, away) => setAnswer((was) => (away ? { ...was, away: true } : { ...was, status: undefined, error })),
        false,
      ),
    [],
  );
  return answer;
}

function Page({ query, pages }) {
  const { status, history, taken_at, error } = useStatus();
  const now = useNow();
  if (error) return html`<${Problem} error=${error} />`;
  if (!status) return html`<p class="empty">Loading…</p>`;
  const old_ms = now - taken_at;
  const isOld = old_ms > OLD_MS;
  const several = status.sites.length > 1;
  return html`
    <div class=${isOld ? "home old" : "home"}>
      <h1 class="unseen">Services</h1>
      <${Old} isOld=${isOld} old_ms=${old_ms} />
      <${Alarms} found=${alarms(status, history)} isOld=${isOld} />
      ${status.sites.map((site) => html`<${Site} key=${site.name} site=${site} several=${several} history=${history} query=${query}
        linked=${site.name === ownSite(status, location.hostname) ? pages.map((page) => page.name) : []} />`)}
      ${query && !services(status).some((s) => s.name.includes(query)) &&
        html`<p class="empty">No service has <q>${query}</q> in its name.</p>`}
      <${Process} status=${status} samples=${history.of("")} />
    </div>`;
}

function Old({ isOld, old_ms }) {
  return html`<p class="age-told" role="status">${isOld && html`<span class="problem">The server doesn't answer. What stands here is old:
    ${" "}<span aria-live="off">${span(old_ms / 1000)}</span>.</span>`}</p>`;
}

// Said aloud when something goes wrong, and when all is well again.
function Alarms({ found, isOld }) {
  return html`
    <section class="alarms" role="status" aria-label="What is wrong">
      ${found.length === 0 && !isOld && html`<p class="well"><span class="badge good">all well</span></p>`}
      <ul>${found.map((alarm) => html`<li key=${alarm.key} class=${`alarm ${alarm.tone}`} data-alarm=${alarm.key}>
        <b>${alarm.text}</b> ${withCommands(alarm.remedy)}</li>`)}</ul>
    </section>`;
}
const withCommands = (text) => text.split("`").map((part, i) => (i % 2 ? html`<code>${part}</code>` : part));

function Site({ site, several, linked, history, query }) {
  const shown = site.services.filter((service) => service.name.includes(query ?? ""));
  if (shown.length === 0) return null;
  return html`
    <section aria-label=${several ? `Site ${site.name}` : "Services"}>
      ${several && html`<h2>${site.name}</h2>`}
      <ul class="services">${shown.map((service) => html`<${Service} key=${service.name} site=${site.name} service=${service}
        isLinked=${linked.includes(service.name)} samples=${history.of(keyOf(site.name, service.name))} />`)}</ul>
    </section>`;
}

const STATES = { ready: "good", starting: "moving", stopped: "bad" };

function Service({ site, service, isLinked, samples }) {
  const { name, state } = service;
  const now = samples.at(-1) ?? {};
  const lags = service.followers ?? [];
  const dead = service.effects_dead > 0;
  return html`
    <li class=${`service ${state}`} data-service=${name} data-site=${site}>
      <h3><${Name} name=${name} isLinked=${isLinked} /> <span class=${`badge ${STATES[state] ?? "plain"}`}>${state}</span></h3>
      ${state === "starting" && html`<p class="quiet">reads its log: ${number(service.events)} of ${number(service.of)} events</p>`}
      <dl>
        <${Figure} name="requests" label="requests/s" text=${rate(now.requests_s)} samples=${samples} pick=${(s) => s.requests_s}
          form=${short} />
        <${Figure} name="errors" label="errors/s" text=${rate(now.errors_s)} bad=${now.errors_s > 0} samples=${samples}
          pick=${(s) => s.errors_s} form=${short} colour="bad" />
        <${Figure} name="p99" label="99 % within" text=${milliseconds(service.p99_ms)} title="since the start" samples=${samples}
          pick=${(s) => s.p99_ms} form=${milliseconds} />
        <${Figure} name="position" label="events" text=${number(service.events)} title=${`position ${service.position}`} />
        <${Figure} name="events" label="events/s" text=${rate(now.events_s)} samples=${samples} pick=${(s) => s.events_s} form=${short} />
        <${Figure} name="lag" label="not durable" text=${number(service.durable_lag_events)} samples=${samples}
          pick=${(s) => s.durable_lag_events} form=${short} />
        ${lags.length > 0 && html`<${Figure} name="followers" label="behind" text=${behind(lags)} title=${lags.map(told).join("\n")}
          bad=${lags.some((f) => f.dead_letters > 0)} samples=${samples} pick=${(s) => s.follower_lag_events} form=${short} />`}
        <${Figure} name="effects" label="effects" text=${number(service.effects_pending)} bad=${dead}
          more=${dead && `, ${number(service.effects_dead)} dead`} samples=${samples} pick=${(s) => s.effects_pending} form=${short} />
        <${Figure} name="memory" label="memory" text=${bytes(service.memory_bytes)} samples=${samples} pick=${(s) => s.memory_bytes}
          form=${bytes} from="least" />
        <${Figure} name="log" label="log" text=${bytes(service.log_bytes)} samples=${samples} pick=${(s) => s.log_bytes} form=${bytes}
          from="least" />
      </dl>
    </li>`;
}

// A service of another site has its page there.
function Name({ name, isLinked }) {
  return isLinked ? html`<a data-row href=${`#/${name}`}>${name}</a>` : html`<span data-row tabindex="-1">${name}</span>`;
}

const number = (n) => n.toLocaleString("en");
const rate = (n) => (n === undefined ? "–" : short(n));
const milliseconds = (n) => (n >= 1000 ? `${short(n / 1000)} s` : `${short(n)} ms`);
const told = ({ source, state, lag_events, lag_s, dead_letters }) =>
  `${source}: ${state.replace("_", " ")}, ${number(lag_events)} events, ${span(lag_s)}, ${number(dead_letters)} dead letters`;
function behind(lags) {
  const worst = lags.reduce((a, b) => (b.lag_events > a.lag_events ? b : a));
  return worst.lag_events === 0 ? "0" : `${number(worst.lag_events)} (${span(worst.lag_s)})`;
}

function Figure({ name, label, text, title, more, bad, samples, pick, form, from, colour = "accent" }) {
  return html`
    <div class="figure" data-figure=${name}>
      <dt>${label}</dt>
      <dd class=${bad ? "bad" : undefined} title=${title}>${text}${more && html`<span class="more-told">${more}</span>`}</dd>
      ${samples && html`<${Spark} samples=${samples} pick=${pick} form=${form} from=${from} colour=${colour} />`}
    </div>`;
}

// Drawn for the eye alone: the figure beside it is what is read.
function Spark({ samples, pick, form, from, colour }) {
  const { width, height } = SPARK;
  const path = sparkPath(samples, pick, { width, height: height - 2, from });
  const values = samples.map(pick).filter(Number.isFinite);
  const title = values.length ? `${form(Math.min(...values))} to ${form(Math.max(...values))} in the last ${span(seconds(samples))}` : "";
  const box = `0 -1 ${width} ${height}`;
  return html`<dd class="spark" aria-hidden="true" title=${title}><svg class=${colour} viewBox=${box} preserveAspectRatio="none">
    <path d=${path} vector-effect="non-scaling-stroke" /></svg></dd>`;
}
const seconds = (samples) => (samples.at(-1).at - samples[0].at) / 1000;

function Process({ status, samples }) {
  const up_s = (Date.parse(status.now) - Date.parse(status.started_at)) / 1000;
  const cpu = samples.at(-1)?.cpu_percent;
  return html`
    <section class="process" aria-labelledby="process">
      <h2 id="process">Process</h2>
      <dl>
        <${Figure} name="version" label="version" text=${status.version} />
        <${Figure} name="uptime" label="up for" text=${span(up_s)} title=${`since ${new Date(status.started_at).toLocaleString()}`} />
        <${Figure} name="cpu" label="CPU" text=${cpu === undefined ? "–" : `${short(cpu)} %`} title="of one processor" samples=${samples}
          pick=${(s) => s.cpu_percent} form=${(n) => `${short(n)} %`} />
        <${Figure} name="resident" label="resident memory" text=${bytes(status.resident_bytes)} samples=${samples}
          pick=${(s) => s.resident_bytes} form=${bytes} from="least" />
        <${Figure} name="connections" label="connections" text=${number(status.connections)} samples=${samples} pick=${(s) => s.connections}
          form=${short} />
        <${Figure} name="readers" label="live readers" text=${number(status.live_readers)} samples=${samples} pick=${(s) => s.live_readers}
          form=${short} />
        ${status.disk_free_bytes !== undefined && html`<${Figure} name="disk" label="disk free" text=${bytes(status.disk_free_bytes)} />`}
      </dl>
    </section>`;
}

export const page = { name: "home", title: "Home", find: "Find a service", Page };
