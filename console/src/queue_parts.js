// What the pages of queue share: where each page is, what the API's words look like, durations, what the reader may do.
import { address } from "./api.js";
import { useSession } from "./session.js";
import { count, html, span, Told, useNow } from "./ui.js";

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

const UNITS = [["d", 86400000], ["h", 3600000], ["min", 60000], ["s", 1000]];
// 90000 → "90 s": exactly, so that it can be read back; 0 is "0".
export function durationText(ms) {
  const [unit, size] = UNITS.find(([, size]) => ms !== 0 && ms % size === 0) ?? ["ms", 1];
  return ms === 0 ? "0" : `${ms / size} ${unit}`;
}
// "90 s", "1.5 h", "250" (milliseconds) → milliseconds; what is no duration goes to the server as it is, which says what is expected.
export function durationIn(text) {
  const [, digits, unit] = text.trim().match(/^(\d{1,15}(?:\.\d{1,6})?)\s*(ms|s|min|h|d)?$/) ?? [];
  return digits === undefined ? text.trim() : Math.round(Number(digits) * (UNITS.find(([name]) => name === unit)?.[1] ?? 1));
}
// A measured time: 1234 → "1.23 s".
export function measured(ms) {
  if (ms < 1000) return `${ms.toLocaleString("en", { maximumSignificantDigits: 3 })} ms`;
  return ms < 60000 ? `${(ms / 1000).toLocaleString("en", { maximumSignificantDigits: 3 })} s` : span(ms / 1000);
}
// What is to come, or how long ago it was.
export function Till({ at }) {
  const left_s = (new Date(at) - useNow()) / 1000;
  const words = left_s >= 0 ? `in ${span(left_s)}` : `${span(-left_s)} ago`;
  return html`<time datetime=${at} title=${new Date(at).toLocaleString()}>${words}</time>`;
}

// Whether the reader has a scope: what they may not do isn't offered. An open server asks for none.
export function useMay(scope) {
  const session = useSession();
  if (!session || session.open) return true;
  const [service, what] = scope.split(":");
  return session.scopes.some((pattern) => {
    const [of, may = "*"] = pattern.split(":");
    return ["*", service].includes(of) && ["*", what].includes(may);
  });
}
export const LookOnly = ({ scope }) => html`<p class="quiet look-only">You may look at this and change nothing: that takes the scope
  ${" "}<code>${scope}</code>.</p>`;
