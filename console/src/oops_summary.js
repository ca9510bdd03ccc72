// The summary of a day, as those who answer for a site read it in the morning: what failed, how often, where, and what was slow.
import { useState } from "preact/hooks";
import { address, useOnce } from "./api.js";
import { API, count, groupLink, reportLink, Title, Told, Web } from "./oops_parts.js";
import { partLink } from "./oops_project.js";
import { Copyable } from "./oops_setup.js";
import { took } from "./timeline.js";
import { html, Problem } from "./ui.js";

const DAY_MS = 86400000;
const FIRST_DAY = "2000-01-01";
const dayOf = (ms) => new Date(ms).toISOString().slice(0, 10);
// Days are UTC's, as the summary's are.
const beside = (day, days) => dayOf(Date.parse(day) + days * DAY_MS);
const isDay = (text = "") => /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text));

const CLASSES = {
  exception: "Exceptions", timeout: "Time-outs", soft_timeout: "Soft time-outs", not_found: "Pages not found", unauthorised: "Unauthorised",
  user_generated: "Asked for by users", remote_error: "Remote errors", remote_warning: "Remote warnings", informational: "Informational",
  message: "Messages", csp: "Content security policy", feedback: "Feedback",
};
const classOf = (what) => CLASSES[what] ?? what.replaceAll("_", " ");

export function Summary({ project, path }) {
  const day = isDay(path[0]) ? path[0] : beside(dayOf(Date.now()), -1);
  const url = `${API}/projects/${project.project}/summary`;
  const { data, error, again } = useOnce(address(url, { day }));
  return html`
    <section class="summary" aria-labelledby="summary">
      <h3 id="summary">Reports on ${day} <span class="quiet">by the clock of UTC</span></h3>
      <${Days} number=${project.project} day=${day} again=${again} />
      ${error && html`<${Problem} error=${error} />`}
      ${!data && !error && html`<p class="empty">Reading the reports of that day…</p>`}
      ${data && html`<${Whole} summary=${data} /><${AsText} key=${day} url=${address(url, { day, text: "true" })} />`}
    </section>`;
}

function Days({ number, day, again }) {
  const today = dayOf(Date.now());
  const link = (to) => partLink(number, "summary", to);
  // A year that is being typed is one of long ago.
  const go = ({ target }) => {
    if (isDay(target.value) && target.validity.valid) location.hash = link(target.value);
  };
  return html`
    <div class="line days">
      <a rel="prev" href=${link(beside(day, -1))}>← ${beside(day, -1)}</a>
      <label>Day <input type="date" name="day" value=${day} min=${FIRST_DAY} max=${today} onChange=${go} /></label>
      ${day < today ? html`<a rel="next" href=${link(beside(day, 1))}>${beside(day, 1)} →</a>`
        : html`<button type="button" class="button small" onClick=${again}>Look again</button>`}
    </div>`;
}

function Whole({ summary }) {
  const { reports, examined, unreadable, complete, classes, slowest_pages, most_statements } = summary;
  if (reports === 0) return html`<p class="empty">Nothing was reported on that day.</p>`;
  return html`
    <div class="figures"><dl><div data-figure="reports"><dt>reports</dt><dd>${count(reports)}</dd></div>
      ${classes.map(({ what, count: n }) => html`<div key=${what} data-figure=${what}><dt>${classOf(what)}</dt><dd>${count(n)}</dd></div>`)}
    </dl></div>
    ${complete === false && html`<p class="incomplete">Of these ${count(examined)} were read, the newest
      ones${unreadable > 0 && `; ${count(unreadable)} are pruned`}. All below is of those that were read.</p>`}
    <${Figures} title="Slowest pages" heads=${["page", "longest", "mean", "reports"]} rows=${slowest_pages.map((page) =>
      [page.topic, took(page.longest_ms), took(page.mean_ms), timed(page)])} />
    <${Figures} title="Most statements" heads=${["page", "most", "mean", "SQL, mean", "reports"]} rows=${most_statements.map((page) =>
      [page.topic, count(page.most), count(page.mean), took(page.mean_sql_ms), count(page.reports)])} />
    <${Figures} title="Time-outs by page" heads=${["page", "reports"]} rows=${summary.timeouts_by_page.map((one) =>
      [one.text, count(one.count)])} />
    <${Figures} title="Time-outs by their costliest statement" heads=${["statement", "reports"]} rows=${summary.timeouts_by_statement.map(
      (one) => [one.text, count(one.count)])} />
    ${summary.sections.map((section) => html`<${Section} key=${section.what} section=${section} />`)}`;
}

const timed = ({ reports, estimates }) => `${count(reports)}${estimates > 0 ? ` (${count(estimates)} estimated)` : ""}`;

// A table of what, in the first column, and figures of it.
function Figures({ title, heads, rows }) {
  if (rows.length === 0) return null;
  return html`
    <h4>${title}</h4>
    <table class="told-table" aria-label=${title}>
      <thead><tr>${heads.map((head, n) => html`<th scope="col" class=${n > 0 ? "number" : undefined}>${head}</th>`)}</tr></thead>
      <tbody>${rows.map(([what, ...figures], n) => html`<tr key=${n}><th scope="row"><${Told} text=${what} /></th>
        ${figures.map((figure) => html`<td class="number">${figure}</td>`)}</tr>`)}</tbody>
    </table>`;
}

function Section({ section }) {
  const { what, groups, groups_left_out } = section;
  if (groups.length === 0) return null;
  return html`
    <section class="of-class" aria-label=${classOf(what)} data-class=${what}>
      <h4>${classOf(what)}${what === "not_found" && html` <span class="quiet">that pages of ours led to</span>`}</h4>
      ${groups.map((group) => html`<${GroupOfDay} key=${group.group} group=${group} />`)}
      ${groups_left_out > 0 && html`<p class="incomplete">There are ${count(groups_left_out)} groups more.</p>`}
    </section>`;
}

function GroupOfDay({ group }) {
  const { get, post, other, robots, local } = group;
  const told = [["GET", get], ["POST", post], ["other", other], ["robots", robots], ["led here by us", local]];
  return html`
    <div class="group-day" data-group-day=${group.group}>
      <p><b>${count(group.count)}</b> <a data-row href=${groupLink(group.group)}><${Title} of=${group} /></a>
        ${group.bug && html` <${Web} url=${group.bug} />`}</p>
      <p class="quiet">${told.filter(([, n]) => n > 0).map(([name, n]) => `${name}: ${count(n)}`).join(", ")}
        ${group.top_referrer && html`; mostly led here by <${Web} url=${group.top_referrer} />`}</p>
      <ul>${group.urls.map((url, n) => html`<li key=${n}>${count(url.count)}×${" "}
        ${url.url ? html`<${Web} url=${url.url} />` : html`<span class="quiet">(no address)</span>`}${" "}
        <span class="quiet"><${Told} text=${url.topic} /></span>
        <span class="ids"> ${url.reports.map((id) => html`<a key=${id} href=${reportLink(id)}><code>${id}</code></a> `)}</span></li>`)}</ul>
    </div>`;
}

function AsText({ url }) {
  const [isOpen, setOpen] = useState(false);
  return html`
    <details class="as-text" onToggle=${(event) => setOpen(event.currentTarget.open)}>
      <summary>As text, as the mail has it</summary>
      ${isOpen && html`<${Text} url=${url} />`}
    </details>`;
}
function Text({ url }) {
  const { data, error } = useOnce(url);
  if (error) return html`<${Problem} error=${error} />`;
  return data ? html`<${Copyable} name="the summary" text=${data.text} />` : html`<p class="empty">Loading…</p>`;
}
