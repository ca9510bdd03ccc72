// The settings of a project: its name, what it takes, and who is told of what.
import { useEffect, useRef, useState } from "preact/hooks";
import { tell } from "./api.js";
import { Field, linesIn, numberIn, Tick } from "./form.js";
import { API, count, Facts, keepEscape, Moment, useCommand } from "./oops_parts.js";
import { Copyable, dsnOf } from "./oops_setup.js";
import { html, Problem } from "./ui.js";

const settingsOf = ({ name, limits, alerts }) => ({ name, limits, alerts });
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

// Limits and alerts are replaced whole: what this page doesn't know of them stays as it is.
function typed(form, now) {
  const data = new FormData(form);
  const numbers = (names) => Object.fromEntries(names.map((name) => [name, numberIn(data.get(name))]));
  const ticks = (names) => Object.fromEntries(names.map((name) => [name, data.has(name)]));
  return {
    name: data.get("name").trim(),
    limits: { ...now.limits, ...numbers(["reports_a_minute", "group_a_minute"]) },
    alerts: { ...now.alerts, ...ticks(["on_new", "on_regressed", "daily_summary"]), ...numbers(["frequent", "spike", "crashed_percent"]),
      hooks: linesIn(data.get("hooks")), mails: linesIn(data.get("mails")) },
  };
}
const changed = (next, now) => Object.fromEntries(Object.entries(next).filter(([name, value]) => !same(value, now[name])));

// Of a list, a problem names the one that it is about by its number: the reader sees lines.
function named(error, sent) {
  const detail = ({ pointer, detail }) => {
    const [, list, n] = pointer.match(/^\/alerts\/(hooks|mails)\/(\d+)/) ?? [];
    return list ? `${sent.alerts[list][n]}: ${detail}` : detail;
  };
  return Object.assign(error, { errors: error.errors?.map((one) => ({ ...one, detail: detail(one) })) });
}

export function Settings({ project }) {
  const now = settingsOf(project);
  const command = useCommand();
  const form = useRef();
  const [saved, setSaved] = useState();
  // Fields that somebody typed into keep it until the project has it.
  useEffect(() => {
    if (!saved || !same(saved, now)) return;
    form.current.reset();
    setSaved(undefined);
  }, [saved, JSON.stringify(now)]);
  useEffect(() => void form.current.querySelector("[aria-invalid]")?.focus(), [command.error]);
  const save = (event) => {
    event.preventDefault();
    const sent = changed(typed(form.current, now), now);
    const change = () => tell("PATCH", `${API}/projects/${project.project}`, sent).catch((error) => Promise.reject(named(error, sent)));
    if (Object.keys(sent).length === 0) return command.run(async () => {}, "Nothing was changed.");
    return command.run(async () => setSaved(settingsOf(await change())), "Saved.");
  };
  return html`
    <section aria-labelledby="settings">
      <h3 id="settings">Settings</h3>
      <${Facts} label="About it" facts=${[["number", String(project.project)], ["made", html`<${Moment} at=${project.made_at} />`],
        ["reports", count(project.reports)]]} />
      <p>Its DSN, which programs are configured with. Whoever has it may report, and nothing else.</p>
      <${Copyable} name="DSN" text=${dsnOf(project)} />
      <form class="settings" ref=${form} novalidate onSubmit=${save} onKeyDown=${keepEscape}>
        <${Fields} now=${now} problems=${command.error?.errors} />
        <p class="buttons"><button class="button" disabled=${command.busy}>Save</button></p>
        ${command.error && html`<${Refusal} error=${command.error} />`}
        <p class="outcome quiet" role="status">${command.said}</p>
      </form>
    </section>`;
}

const PLACES = /^\/(name|limits|alerts)/;

function Refusal({ error }) {
  const placed = error.errors?.length > 0 && error.errors.every((one) => PLACES.test(one.pointer));
  return placed
    ? html`<p class="problem" role="alert">Nothing was saved: ${error.errors.length === 1 ? "a field has" : "fields have"} a fault.
        ${error.code && html` <code>${error.code}</code>`}</p>`
    : html`<${Problem} error=${error} />`;
}

function Fields({ now, problems }) {
  const { name, limits, alerts } = now;
  const shared = { problems };
  const number = { ...shared, inputmode: "numeric", class: "number" };
  return html`
    <${Field} ...${shared} name="name" label="Name" at=${/^\/name$/} defaultValue=${name} maxlength="100" />
    <fieldset>
      <legend>Limits</legend>
      <${Field} ...${number} name="reports_a_minute" label="Reports a minute" at=${/^\/limits\/reports_a_minute$/}
        defaultValue=${String(limits.reports_a_minute)} hint="More are refused, and their programs told so." />
      <${Field} ...${number} name="group_a_minute" label="Of one group, a minute" at=${/^\/limits\/group_a_minute$/}
        defaultValue=${String(limits.group_a_minute)} hint="More are counted without being kept." />
    </fieldset>
    <fieldset>
      <legend>Who is told of what</legend>
      <${Tick} name="on_new" label="of a group that is new" defaultChecked=${alerts.on_new} />
      <${Tick} name="on_regressed" label="of one that came back after it was resolved" defaultChecked=${alerts.on_regressed} />
      <${Field} ...${number} name="frequent" label="of one with more reports in ten minutes than" at=${/^\/alerts\/frequent$/}
        defaultValue=${String(alerts.frequent)} hint="0: never" />
      <${Field} ...${number} name="spike" label="of one with so many times the usual in ten minutes" at=${/^\/alerts\/spike$/}
        defaultValue=${String(alerts.spike)} hint="0: never" />
      <${Field} ...${number} name="crashed_percent" label="of a release of which more sessions crash than, in percent"
        at=${/^\/alerts\/crashed_percent$/} defaultValue=${String(alerts.crashed_percent)}
        hint="Of a hundred sessions at least. 0: never" />
      <${Tick} name="daily_summary" defaultChecked=${alerts.daily_summary}
        label="of each day, by its summary, after midnight UTC: by mail alone" />
      <${Field} ...${shared} name="hooks" label="Hooks" at=${/^\/alerts(\/hooks.*)?$/} lines rows="3"
        defaultValue=${alerts.hooks.join("\n")} hint="Addresses that are called by POST with JSON, one a line." />
      <${Field} ...${shared} name="mails" label="Mail addresses" at=${/^\/alerts\/mails/} lines rows="3"
        defaultValue=${alerts.mails.join("\n")} hint="One a line." />
    </fieldset>`;
}
