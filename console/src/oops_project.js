// What the pages of one project share: the way up, its name, and the ways between them.
import { useLive } from "./api.js";
import { API, projectLink, Told } from "./oops_parts.js";
import { html, Problem } from "./ui.js";

const PARTS = [["", "Groups"], ["summary", "Summary"], ["rules", "Rules"], ["source-maps", "Source maps"], ["settings", "Settings"]];

export const partLink = (project, ...path) => [projectLink(project), ...path.map(encodeURIComponent)].join("/");

// `children` draws what is within, of the project as it is now.
export function ProjectFrame({ number, part, children: draw }) {
  const { data: project, error } = useLive(`${API}/projects/${encodeURIComponent(number)}`);
  if (error && !project) return html`<p><a href="#/oops">← all projects</a></p><${Problem} error=${error} />`;
  return html`
    <article class="oops">
      <p><a href="#/oops">← all projects</a></p>
      <h2><${Told} text=${project?.name ?? "…"} /></h2>
      <nav class="parts" aria-label="Of this project">${PARTS.map(([name, title]) => html`
        <a key=${name} href=${name ? partLink(number, name) : projectLink(number)}
          aria-current=${name === part ? "page" : undefined}>${title}</a>`)}</nav>
      ${error && html`<${Problem} error=${error} />`}
      ${project && draw(project)}
    </article>`;
}
