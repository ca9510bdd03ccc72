// Lists of reports: those of a group, or what a search finds.
import { useLiveList } from "./api.js";
import { API, Kind, Level, PAGE, reportLink, Title, Told } from "./oops_parts.js";
import { Age, html, More, Problem, useFresh } from "./ui.js";

// `parameters` say which; `titled`: they are of several groups.
export function Reports({ title, parameters, empty, titled = false }) {
  const list = useLiveList(`${API}/reports`, { ...parameters, limit: PAGE });
  const fresh = useFresh(list);
  return html`
    <section aria-labelledby="reports">
      <h3 id="reports">${title}</h3>
      ${list.error && html`<${Problem} error=${list.error} />`}
      ${list.items?.length === 0 && html`<p class="empty">${empty}</p>`}
      ${list.items?.length > 0 && html`
        <table class="runs reports">
          <thead><tr><th scope="col">report</th><th scope="col" class="release wide">release</th>
            <th scope="col" class="release wide">environment</th><th scope="col" class="level">level</th>
            <th scope="col" class="age">ago</th></tr></thead>
          <tbody>${list.items.map((report) => html`<${Row} key=${report.id} report=${report} titled=${titled}
            fresh=${fresh.has(report.id)} />`)}</tbody>
        </table>`}
      <${More} list=${list} noun="reports" />
    </section>`;
}

function Row({ report, titled, fresh }) {
  const { id, title, snippet } = report;
  return html`
    <tr class=${fresh ? "fresh" : undefined} data-report=${id}>
      <th scope="row"><a data-row href=${reportLink(id)}>${titled ? html`<${Title} of=${report} />` : html`<code>${id}</code>`}</a>
        <${Kind} kind=${report.kind} />
        ${snippet && snippet !== title && html` <span class="quiet"><${Told} text=${snippet} /></span>`}</th>
      <td class="release wide"><${Told} text=${report.release} /></td>
      <td class="release wide"><${Told} text=${report.environment} /></td>
      <td class="level"><${Level} level=${report.level} /></td>
      <td class="age"><${Age} at=${report.received_at} /></td>
    </tr>`;
}
