// One report, whole: what was raised and where, what the program did before, and what it was asked. A report comes from outside: all of it
// is drawn as text.
import { useEffect } from "preact/hooks";
import { useLive } from "./api.js";
import { Absent, API, Facts, groupLink, Kind, Level, Moment, projectLink, reportLink, Title, Told, Web } from "./oops_parts.js";
import { Timeline } from "./oops_timeline.js";
import { took } from "./timeline.js";
import { html } from "./ui.js";

const OPEN_FRAMES = 8; // of a stack; the others tell their lines when asked

export function WholeReport({ id, above }) {
  const { data, error } = useLive(`${API}/reports/${encodeURIComponent(id)}`);
  useEffect(() => {
    if (data) Object.assign(above, { group: groupLink(data.group), project: above.project ?? projectLink(data.project) });
  }, [data]);
  if (!data) return html`<${Absent} error=${error} up="#/oops" upName="all projects" />`;
  const { report } = data;
  return html`
    <article class="oops report">
      <${Neighbours} whole=${data} />
      <h2><${Title} of=${data} /></h2>
      <p><${Level} level=${report.level} /><${Kind} kind=${report.kind} /> <code>${report.id}</code>${" "}
        <span class="quiet"><${Moment} at=${report.received_at} /></span></p>
      <${About} report=${report} />
      <${Message} report=${report} />
      <${Exceptions} report=${report} />
      ${report.timeline?.length > 0 && html`<${Timeline} rows=${report.timeline} duration_ms=${report.duration_ms} />`}
      <${Breadcrumbs} crumbs=${report.breadcrumbs ?? []} />
      <${Pairs} title="Request variables" rows=${report.variables ?? []} />
      <${Pairs} title="Tags" rows=${(report.tags ?? []).map(({ key, value }) => ({ name: key, value }))} />
      <${User} user=${report.user} />
      <${Pairs} title="Feature flags" rows=${report.flags ?? []} />
      <${Pairs} title="Positions seen" rows=${(report.positions ?? []).map((one) => ({ name: one.service, value: one.position }))} />
      <${Pairs} title="Content security policy" rows=${pairsOf(report.csp)} />
      <${Pairs} title="What else was told" rows=${pairsOf(report.extra)} />
      <${Modules} modules=${report.modules ?? []} />
      <${LeftOut} report=${report} />
    </article>`;
}

function Neighbours({ whole: { group, older, newer } }) {
  return html`
    <p class="neighbours"><a href=${groupLink(group)}>← the group</a>
      ${older ? html`<a data-row rel="prev" href=${reportLink(older)}>older</a>` : html`<span class="quiet">older</span>`}
      ${newer ? html`<a data-row rel="next" href=${reportLink(newer)}>newer</a>` : html`<span class="quiet">newer</span>`}</p>`;
}

function About({ report }) {
  return html`<${Facts} label="About it" facts=${[
    ["topic", report.topic],
    ["address", report.url && html`<${Web} url=${report.url} />`],
    ["method", report.method],
    ["status", report.status !== undefined && String(report.status)],
    ["took", report.duration_ms !== undefined && took(report.duration_ms)],
    ["release", report.release],
    ["dist", report.dist],
    ["environment", report.environment],
    ["branch", report.branch],
    ["revision", report.revision],
    ["host", report.hostname],
    ["reporter", report.reporter],
    ["platform", report.platform],
    ["logger", report.logger],
    ["client", report.sdk],
    ["told at, by its clock", report.told_at && html`<${Moment} at=${report.told_at} />`],
    ["referrer", report.referrer && html`<${Web} url=${report.referrer} />`],
    ["browser", report.user_agent],
    ["trace", report.trace_id],
    ["span", report.span_id],
    ["request", report.request_id],
  ]} />`;
}

function Message({ report }) {
  const { message, message_template: template } = report;
  if (!message) return null;
  return html`<section aria-label="Message"><pre class="message">${message}</pre>
    ${template && template !== message && html`<p class="quiet">of the template <code>${template}</code></p>`}</section>`;
}

// The one that was raised last is what failed; the ones before led to it.
function Exceptions({ report }) {
  const told = [...(report.exceptions ?? [])].reverse();
  return html`
    ${told.map((exception, n) => html`<${Exception} key=${n} exception=${exception} isCause=${n > 0} />`)}
    ${report.stack?.length > 0 && html`<section class="exception" aria-label="Stack"><h3>Stack of the reporting thread</h3>
      <${Frames} frames=${report.stack} /></section>`}
    ${report.template_frame && html`<section class="exception" aria-label="Template"><h3>Template</h3>
      <ol class="frames"><${Frame} frame=${report.template_frame} isOpen=${true} /></ol></section>`}
    ${report.traceback && html`<details><summary>The traceback as it came</summary><pre>${report.traceback}</pre></details>`}`;
}

function Exception({ exception, isCause }) {
  const { type, value, module, mechanism, frames } = exception;
  const how = [mechanism?.type, mechanism?.handled === false && "not handled", mechanism?.handled === true && "handled"].filter(Boolean);
  return html`
    <section class="exception" aria-label=${isCause ? "Cause" : "Exception"}>
      <h3>${isCause && html`<span class="quiet">caused by </span>`}<${Told} text=${type || "(no type)"} />
        ${module && html` <span class="quiet">of <${Told} text=${module} /></span>`}
        ${how.length > 0 && html` <span class="badge plain"><${Told} text=${how.join(", ")} /></span>`}</h3>
      ${value && html`<pre class="message">${value}</pre>`}
      <${Frames} frames=${frames ?? []} />
    </section>`;
}

// The innermost call first. Runs of calls within libraries are folded, where there are others.
function Frames({ frames }) {
  if (frames.length === 0) return null;
  const inward = [...frames].reverse();
  const hasOwn = inward.some((frame) => frame.in_app !== false);
  const runs = [];
  for (const frame of inward) {
    const folded = hasOwn && frame.in_app === false;
    if (runs.at(-1)?.folded !== folded || !folded) runs.push({ folded, frames: [] });
    runs.at(-1).frames.push(frame);
  }
  let shown = 0;
  return html`<ol class="frames">${runs.map((run, n) =>
    run.folded
      ? html`<li key=${n} class="libraries"><details>
          <summary>${run.frames.length} ${run.frames.length === 1 ? "call" : "calls"} in libraries</summary>
          <ol class="frames">${run.frames.map((frame) => html`<${Frame} frame=${frame} isOpen=${false} />`)}</ol></details></li>`
      : html`<${Frame} key=${n} frame=${run.frames[0]} isOpen=${++shown <= OPEN_FRAMES} />`,
  )}</ol>`;
}

function Frame({ frame, isOpen }) {
  const { function: name, module, file, line, column, generated, in_app } = frame;
  const place = `${file || module || "?"}${line ? `:${line}` : ""}${column ? `:${column}` : ""}`;
  const head = html`<b><${Told} text=${name || "?"} /></b> <span class="place"><${Told} text=${place} /></span>
    ${module && file && html` <span class="quiet"><${Told} text=${module} /></span>`}
    ${generated && html` <span class="quiet">from <${Told} text=${generated} /></span>`}`;
  const variables = frame.variables ?? [];
  const hasLines = frame.context_line || frame.lines_before?.length > 0 || frame.lines_after?.length > 0;
  return html`
    <li class=${in_app === false ? "frame library" : "frame own"}>
      ${hasLines || variables.length > 0
        ? html`<details open=${isOpen}><summary>${head}</summary>${hasLines && html`<${Context} frame=${frame} />`}
            ${variables.length > 0 && html`<details><summary>${variables.length} variables</summary>
              <${Pairs} title="Variables" rows=${variables} small /></details>`}</details>`
        : head}
    </li>`;
}

function Context({ frame }) {
  const before = frame.lines_before ?? [];
  const first = (frame.line || 0) - before.length;
  const lines = [...before, frame.context_line ?? "", ...(frame.lines_after ?? [])];
  return html`<pre class="context">${lines.map((text, n) => html`<span class=${n === before.length ? "here" : undefined}
    ><i>${frame.line ? first + n : ""}</i>${text || " "}</span>`)}</pre>`;
}

function Breadcrumbs({ crumbs }) {
  if (crumbs.length === 0) return null;
  return html`
    <section aria-labelledby="crumbs">
      <h3 id="crumbs">Breadcrumbs <span class="quiet">what the program did before, in order</span></h3>
      <table class="told-table crumbs">
        <thead><tr><th scope="col">at (UTC)</th><th scope="col">category</th><th scope="col">what</th></tr></thead>
        <tbody>${crumbs.map((crumb, n) => html`<tr key=${n}>
          <td class="number">${crumb.at ? html`<${Clock} at=${crumb.at} />` : "–"}</td>
          <td>${crumb.category || crumb.type} ${crumb.level !== "info" && html`<${Level} level=${crumb.level} />`}</td>
          <td>${crumb.message}${crumb.data && html` <code>${JSON.stringify(crumb.data)}</code>`}</td></tr>`)}</tbody>
      </table>
    </section>`;
}
function Clock({ at }) {
  const [, clock = at] = at.match(/T(\d\d:\d\d:\d\d(?:\.\d{1,3})?)/) ?? [];
  return html`<time datetime=${at} title=${new Date(at).toLocaleString()}>${clock}</time>`;
}

const textOf = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));
const pairsOf = (object) =>
  Object.entries(object ?? {}).map(([name, value]) => ({ name, value: textOf(value) })).filter((row) => row.value);

function Pairs({ title, rows, small = false }) {
  if (rows.length === 0) return null;
  const table = html`<table class="told-table pairs" aria-label=${title}><tbody>${rows.map((row, n) => html`
    <tr key=${n}><th scope="row">${row.name}</th><td>${row.value}</td></tr>`)}</tbody></table>`;
  return small ? table : html`<section aria-label=${title}><h3>${title}</h3>${table}</section>`;
}

function User({ user }) {
  if (user === undefined) return null;
  if (user === null) return html`<section aria-label="User"><h3>User</h3><p class="quiet">(erased)</p></section>`;
  const { other, ...known } = user;
  return html`<${Pairs} title="User" rows=${[...pairsOf(known), ...pairsOf(other)]} />`;
}

function Modules({ modules }) {
  if (modules.length === 0) return null;
  return html`<details class="modules"><summary>${modules.length} libraries</summary>
    <${Pairs} title="Libraries" rows=${modules} small /></details>`;
}

function LeftOut({ report }) {
  const cut = report.cut ?? [];
  if (cut.length === 0 && !report.hidden) return null;
  return html`
    <section aria-label="Left out"><h3>Left out</h3><ul>
      ${cut.map((one) => html`<li><code>${one.at}</code>: ${one.left_out.toLocaleString("en")} ${one.unit}</li>`)}
      ${report.hidden > 0 && html`<li>values that were hidden for being secrets: ${report.hidden}</li>`}
    </ul></section>`;
}
