// What the pages of oops share: where each page is, and how words of reports are drawn. Reports hold what strangers wrote: it is drawn as
// text, within its own direction of writing, and only addresses of the web become links.
import { address } from "./api.js";
import { html, Told, words } from "./ui.js";

export { keepEscape, useCommand } from "./form.js";
export { Absent, count, Facts, Moment, Told, words } from "./ui.js";

export const API = "oops/v1";
export const PAGE = 50;

const NAMES = ["status", "level", "kind", "assignee", "title"];
export const STATUSES = ["open", "regressed", "resolved", "ignored"];
export const LEVELS = ["fatal", "error", "warning", "info", "debug"];
export const KINDS = ["error", "timeout", "soft_timeout", "not_found", "unauthorised", "user_generated", "remote_error", "remote_warning",
  "informational", "message", "csp", "feedback"];

// `filters` is one part of the hash: what a list is narrowed to can be sent to somebody.
export function projectLink(project, filters = {}) {
  const chosen = address("", filters).slice(1);
  return `#/oops/projects/${project}${chosen ? `/${encodeURIComponent(chosen)}` : ""}`;
}
export function filtersOf(part = "") {
  const told = new URLSearchParams(part);
  return Object.fromEntries(NAMES.filter((name) => told.get(name)).map((name) => [name, told.get(name)]));
}
export const groupLink = (id) => `#/oops/groups/${encodeURIComponent(id)}`;
export const reportLink = (id) => `#/oops/reports/${encodeURIComponent(id)}`;
// An id as it was shown to somebody: "OOPS-" and more, or the 32 digits of an SDK.
export const looksLikeId = (text) => /^(OOPS-[\w.:-]{1,59}|[0-9a-f]{32})$/i.test(text);

const LEVEL_TONES = { fatal: "bad", error: "bad", warning: "moving" };
const STATUS_TONES = { open: "moving", regressed: "bad", resolved: "good", ignored: "plain" };
export const Level = ({ level }) => html`<span class=${`badge ${LEVEL_TONES[level] ?? "plain"}`}>${level}</span>`;
export const StatusBadge = ({ status }) => html`<span class=${`badge ${STATUS_TONES[status] ?? "plain"}`}>${status}</span>`;
// An error is what is expected here: only other kinds are worth a word.
export const Kind = ({ kind }) => (kind === "error" ? null : html` <span class="badge plain">${words(kind)}</span>`);

export const Title = ({ of }) => html`<${Told} text=${of.title || "(no title)"} />`;
export function Web({ url }) {
  return /^https?:\/\//i.test(url) ? html`<a href=${url} rel="noopener noreferrer"><bdi>${url}</bdi></a>` : html`<bdi>${url}</bdi>`;
}

export function Releases({ group }) {
  const { first_release: first, last_release: last } = group;
  if (!first && !last) return html`<span class="quiet">–</span>`;
  if (first === last) return html`<${Told} text=${first} />`;
  return html`<${Told} text=${first || "–"} /> … <${Told} text=${last || "–"} />`;
}
