// Error reports: the projects, a project's groups as they come, and ways to a report. A group, a report and what else a project has are in
// modules of their own.
import { useEffect, useRef } from "preact/hooks";
import { tell, useLive, useLiveList } from "./api.js";
import { Group } from "./oops_group.js";
import { SourceMaps } from "./oops_maps.js";
import { API, count, filtersOf, groupLink, keepEscape, Kind, KINDS, Level, LEVELS, looksLikeId, PAGE, projectLink, Releases,
  reportLink, StatusBadge, STATUSES, Title, Told, useCommand, words } from "./oops_parts.js";
import { ProjectFrame } from "./oops_project.js";
import { Reports } from "./oops_reports.js";
import { WholeReport } from "./oops_report.js";
import { Rules } from "./oops_rules.js";
import { Settings } from "./oops_settings.js";
import { Setup } from "./oops_setup.js";
import { Summary } from "./oops_summary.js";
import { Age, html, More, Problem, useFresh } from "./ui.js";

// Where the reader came from: a list with its filters, a group. Escape and the links back lead there.
const above = {};
const remember = (name, hash) => (above[name] = hash);

// Of a project, beside its groups. Filters are no such word: they have "=".
const PARTS = { settings: Settings, rules: Rules, summary: Summary, "source-maps": SourceMaps };

function Page({ path, query }) {
  const [kind, id, filters, ...more] = path;
  if (kind === "projects" && Object.hasOwn(PARTS, filters))
    return html`<${PartOfProject} key=${`${id} ${filters}`} number=${id} part=${filters} path=${more} query=${query} />`;
  if (kind === "projects" && id) return html`<${Project} key=${id} number=${id} filters=${filtersOf(filters)} query=${query} />`;
  if (query) return html`<${Projects} query=${query} /><${Found} query=${query} />`;
  if (kind === "groups" && id) return html`<${Group} key=${id} id=${id} above=${above} />`;
  if (kind === "reports" && id) return html`<${WholeReport} key=${id} id=${id} above=${above} />`;
  return html`<${Projects} query="" />`;
}

function Projects({ query }) {
  const { data, error } = useLive(`${API}/projects?limit=1000`);
  const shown = data?.items.filter((project) => project.name.toLowerCase().includes(query.toLowerCase())) ?? [];
  return html`
    <section class="oops" aria-labelledby="projects">
      <h2 id="projects">Projects</h2>
      ${error && html`<${Problem} error=${error} />`}
      ${!data && !error && html`<p class="empty">Loading…</p>`}
      <${ById} query=${query} />
      ${data && shown.length === 0 && html`<p class="empty">${query ? html`No project has <q>${query}</q> in its name.`
        : "There is no project yet. A project has a DSN, which programs are configured with."}</p>`}
      ${shown.length > 0 && html`
        <table class="runs reports">
          <thead><tr><th scope="col">project</th><th scope="col" class="count">reports</th>
            <th scope="col" class="count wide">not kept</th></tr></thead>
          <tbody>${shown.map((p) => html`<tr key=${p.project} data-project=${p.project}>
            <th scope="row"><a data-row href=${projectLink(p.project)}><${Told} text=${p.name} /></a></th>
            <td class="count">${count(p.reports)}</td><td class="count wide">${count(p.counted_only)}</td></tr>`)}</tbody>
        </table>`}
      ${data?.complete === false && html`<p class="quiet">There are more projects than these.</p>`}
      ${data && !query && html`<${NewProject} />`}
    </section>`;
}

// A report that somebody was shown the id of.
function ById({ query }) {
  return looksLikeId(query)
    ? html`<p class="by-id">The report <a data-row href=${reportLink(query)}><code>${query}</code></a></p>`
    : null;
}

// What the words, phrases and `field:value` of the search box find in whole reports.
function Found({ query, project }) {
  if (looksLikeId(query)) return null;
  const empty = html`No report is like <q>${query}</q>. A search has words, "phrases", <code>field:value</code>, <code>-without</code>.`;
  return html`<div class="oops">
    <${Reports} title="Reports that are like this" titled=${true} parameters=${{ q: query, project }} empty=${empty} /></div>`;
}

function NewProject() {
  const command = useCommand();
  const name = useRef();
  const make = async (event) => {
    event.preventDefault();
    let made;
    if (await command.run(async () => (made = await tell("POST", `${API}/projects`, { name: name.current.value.trim() }))))
      location.hash = projectLink(made.project);
  };
  return html`
    <form class="line" onSubmit=${make} onKeyDown=${keepEscape}>
      <label>New project <input ref=${name} name="name" required maxlength="100" autocomplete="off" /></label>
      <button class="button" disabled=${command.busy}>Make it</button>
      ${command.error && html`<${Problem} error=${command.error} />`}
    </form>`;
}

// A search stands above: what somebody types into a form stays.
function PartOfProject({ number, part, path, query }) {
  return html`
    ${query && html`<${ById} query=${query} /><${Found} query=${query} project=${number} />`}
    <${ProjectFrame} number=${number} part=${part}>${(project) => html`<${PARTS[part]} project=${project} path=${path} />`}<//>`;
}

function Project({ number, filters, query }) {
  const chosen = query && !looksLikeId(query) ? { ...filters, title: query } : filters;
  useEffect(() => void remember("project", location.hash), [number, JSON.stringify(filters)]);
  return html`
    <${ProjectFrame} number=${number} part="">${(project) => html`
      <${Figures} project=${project} /><${Setup} project=${project} />
      <section aria-labelledby="groups">
        <h3 id="groups">Groups, by their newest report</h3>
        <${ById} query=${query} />
        <${Filters} key=${JSON.stringify(filters)} number=${number} filters=${filters} />
        <${Groups} number=${number} filters=${chosen} />
      </section>
      ${query && html`<${Found} query=${query} project=${number} />`}`}<//>`;
}

function Figures({ project }) {
  const rows = [["reports", "reports"], ["counted, not kept", "counted_only"], ["lost by clients", "client_dropped"],
    ["other items", "items"]];
  return html`<div class="figures"><dl>${rows.map(([name, key]) => html`<div data-figure=${key}><dt>${name}</dt>
    <dd>${count(project[key])}</dd></div>`)}</dl></div>`;
}

function Filters({ number, filters }) {
  const form = useRef();
  const apply = (event) => {
    event.preventDefault();
    const chosen = Object.fromEntries([...new FormData(form.current)].map(([name, value]) => [name, value.trim()]));
    location.hash = projectLink(number, chosen);
  };
  const choice = (name, values) => html`
    <label>${name} <select name=${name} onChange=${apply}><option value="">any</option>
      ${values.map((value) => html`<option value=${value} selected=${filters[name] === value}>${words(value)}</option>`)}</select></label>`;
  const part = (name, label) => html`
    <label>${label} <input name=${name} value=${filters[name] ?? ""} maxlength="200" autocomplete="off" onChange=${apply} /></label>`;
  return html`
    <form ref=${form} class="line filters" aria-label="Filters" onSubmit=${apply} onKeyDown=${keepEscape}>
      ${choice("status", STATUSES)} ${choice("level", LEVELS)} ${choice("kind", KINDS)} ${part("assignee", "assignee")}
      ${part("title", "part of the title")}
      ${Object.keys(filters).length > 0 && html`<a href=${projectLink(number)}>all groups</a>`}
      <button class="unseen" tabindex="-1">Filter</button>
    </form>`;
}

function Groups({ number, filters }) {
  const list = useLiveList(`${API}/groups`, { project: number, ...filters, limit: PAGE });
  const fresh = useFresh(list);
  if (list.error) return html`<${Problem} error=${list.error} />`;
  if (!list.items) return html`<p class="empty">Loading…</p>`;
  const narrowed = Object.keys(filters).length > 0;
  return html`
    ${list.items.length === 0 && html`<p class="empty">${narrowed ? "No group is like this." : "Nothing has been reported yet."}</p>`}
    ${list.items.length > 0 && html`
      <table class="runs groups">
        <thead><tr><th scope="col">what happened</th><th scope="col" class="count">count</th><th scope="col" class="age">last</th>
          <th scope="col" class="age wide">first</th><th scope="col" class="release wide">releases</th></tr></thead>
        <tbody>${list.items.map((group) => html`<${Row} key=${group.id} group=${group} fresh=${fresh.has(group.id)} />`)}</tbody>
      </table>`}
    <${More} list=${list} noun="groups" />`;
}

function Row({ group, fresh }) {
  return html`
    <tr class=${fresh ? "fresh" : undefined} data-group=${group.id}>
      <th scope="row"><a data-row class="title" href=${groupLink(group.id)} title=${group.title}><${Title} of=${group} /></a>
        <span class="meta"><${Level} level=${group.level} /> <${StatusBadge} status=${group.status} /><${Kind} kind=${group.kind} />
          ${group.assignee && html` <span class="quiet">for <${Told} text=${group.assignee} /></span>`}
          ${group.bug && html` <span class="quiet"><${Told} text=${group.bug} /></span>`}</span></th>
      <td class="count">${count(group.count)}</td>
      <td class="age"><${Age} at=${group.last_seen} /></td>
      <td class="age wide"><${Age} at=${group.first_seen} /></td>
      <td class="release wide"><${Releases} group=${group} /></td>
    </tr>`;
}

const up = {
  projects: (number, part) => (Object.hasOwn(PARTS, part) ? projectLink(number) : undefined),
  groups: () => above.project,
  reports: () => above.group,
};

export const page = {
  name: "oops",
  title: "Oops",
  find: "Find groups, projects, reports, or an id",
  Page,
  above: ([kind, ...path]) => up[kind]?.(...path),
};
