// What the pages of queue share: where each page is, and what the API's words look like.
import { address } from "./api.js";
import { count, html, Told } from "./ui.js";

export const API = "queue/v1";
export const PAGE = 50;
export const STATES = ["ready", "delayed", "behind", "leased", "buried", "dead", "done"];
export const OPERATE = "queue:operate";
export const PUT = "queue:put";

const FILTERS = ["state", "key", "group", "tag", "text", "older_than_ms", "attempts_min"];

export const queueLink = (queue, ...path) => ["#/queue/queues", ...[queue, ...path].map(encodeURIComponent)].join("/");
export const taskLink = (id) => `#/queue/tasks/${id}`;
// `filters` is one part of the hash: what a list is narrowed to can be sent to somebody. Without a queue: tasks of all.
export function tasksLink(queue, filters = {}) {
  const chosen = address("", filters).slice(1);
  const path = queue === undefined ? "#/queue/tasks" : queueLink(queue, "tasks");
  return chosen ? `${path}/${encodeURIComponent(chosen)}` : path;
}
export function filtersOf(part = "") {
  const told = new URLSearchParams(part);
  return Object.fromEntries(FILTERS.filter((name) => told.get(name)).map((name) => [name, told.get(name)]));
}
export const isTaskId = (text = "") => /^t_\d{1,19}$/.test(text);
export const ofQueue = (queue, ...path) => [`${API}/queues`, ...[queue, ...path].map(encodeURIComponent)].join("/");
export const ofTask = (id, ...path) => [`${API}/tasks`, id, ...path].join("/");

const TONES = { ready: "moving", leased: "good", buried: "bad", dead: "bad" };
export const State = ({ state }) => html`<span class=${`badge ${TONES[state] ?? "plain"}`}>${state}</span>`;
export const tasks = (n) => `${count(n)} ${n === 1 ? "task" : "tasks"}`;
export const KeyName = ({ name }) => (name ? html`<${Told} text=${name} />` : html`<span class="quiet">no key</span>`);
