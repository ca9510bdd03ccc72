// What the pages of pool share: where each page is, what the API's words look like.
import { address } from "./api.js";
import { count, html, span, Told } from "./ui.js";

export const API = "pool/v1";
export const PAGE = 50;
export const ADMIN = "pool:admin";
export const WRITE = "pool:write";
export const PHASES = ["free", "reserved", "in_use", "dirty", "cleaning", "quarantined", "retired"];

const FILTERS = ["state", "owner", "label", "stuck", "drained"];

const link = (kind, ...path) => [`#/pool/${kind}`, ...path.map(encodeURIComponent)].join("/");
// `filters` is one part of the hash: what a list is narrowed to can be sent to somebody.
export function typeLink(type, filters = {}) {
  const chosen = address("", filters).slice(1);
  return chosen ? link("types", type, chosen) : link("types", type);
}
export function filtersOf(part = "") {
  const told = new URLSearchParams(part);
  return Object.fromEntries(FILTERS.filter((name) => told.get(name)).map((name) => [name, told.get(name)]));
}
export const resourceLink = (name) => link("resources", name);
export const ticketLink = (ticket) => link("tickets", ticket);
export const leaseLink = (lease) => link("leases", lease);
// The address of one thing: of("types", "ppa", "drain").
export const of = (kind, ...path) => [`${API}/${kind}`, ...path.map(encodeURIComponent)].join("/");

const TONES = { free: "good", in_use: "moving", quarantined: "bad" };
export const State = ({ state }) => html`<span class=${`badge ${TONES[state] ?? "plain"}`}>${state.replaceAll("_", " ")}</span>`;
export const Marks = ({ of: { stuck, drained } }) => html`${stuck && html` <span class="badge bad">stuck</span>`}${drained
  && html` <span class="badge moving">drained</span>`}`;
export const some = (ms) => (ms === undefined ? "–" : ms < 1000 ? "under 1 s" : span(ms / 1000));
export const percent = (part) => `${Math.round(part * 100)} %`;

// "2 × ppa with series=noble, memory_gb 16…": what somebody wants, in a line.
export function Wants({ wants }) {
  return wants.map((want, n) => html`${n > 0 && " and "}${want.count > 1 && `${count(want.count)} × `}
    <a href=${typeLink(want.type)}><${Told} text=${want.type} /></a>${told(want).map((part) => html`
    ${" "}<span class="quiet"><${Told} text=${part} /></span>`)}`);
}
function told({ labels, ranges, names, avoid }) {
  const pairs = (map) => Object.entries(map ?? {}).map(([name, value]) => `${name}=${value}`);
  return [
    ...pairs(labels),
    ...Object.entries(ranges ?? {}).map(([name, { min, max }]) => `${name} ${min ?? ""}…${max ?? ""}`),
    ...(names?.length > 0 ? [`one of ${names.join(", ")}`] : []),
    ...(avoid?.names?.length > 0 ? [`not ${avoid.names.join(", ")}`] : []),
    ...pairs(avoid?.labels).map((pair) => `not ${pair}`),
    ...(avoid?.same ? [`no two of the same ${avoid.same}`] : []),
  ];
}
