// The public HTTP API as the pages see it: GETs that know their ETag, repeated once a second while somebody looks.
import { useEffect, useRef, useState } from "preact/hooks";

const POLL_MS = 1000;
const BACKOFF_MAX_MS = 10000;
const REMEMBERED_MAX = 200;

const remembered = new Map(); // URL → { etag, data }: a 304 costs neither a body nor a redraw

// The answer of one GET; the same object as before while the server says that nothing changed.
export async function get(url, signal) {
  const before = remembered.get(url);
  const headers = { accept: "application/json" };
  if (before) headers["if-none-match"] = before.etag;
  const reply = await fetch(url, { headers, signal, cache: "no-store" });
  if (reply.status === 304 && before) return before.data;
  if (!reply.ok) throw await refusal(reply);
  const data = await reply.json();
  remembered.delete(url);
  const etag = reply.headers.get("etag");
  if (etag) remembered.set(url, { etag, data });
  if (remembered.size > REMEMBERED_MAX) remembered.delete(remembered.keys().next().value);
  return data;
}

async function refusal(reply) {
  const problem = await reply.json().catch(() => ({}));
  const error = new Error(problem.detail || problem.title || `The server answered ${reply.status}.`);
  return Object.assign(error, { status: reply.status, code: problem.code });
}

// The address of a GET: absent and empty parameters are left out.
export function address(path, parameters = {}) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, v]) => v !== undefined && v !== ""));
  return query.size ? `${path}?${query}` : path;
}

// Whether the server answers: "connecting", "live", "offline" or "paused". Pages report to it, the header shows it.
const watchers = new Set();
let connection = document.hidden ? "paused" : "connecting";
function report(state) {
  if (state === connection) return;
  connection = state;
  for (const watcher of watchers) watcher(state);
}
export function useConnection() {
  const [state, setState] = useState(connection);
  useEffect(() => {
    watchers.add(setState);
    setState(connection);
    return () => watchers.delete(setState);
  }, []);
  return state;
}
document.addEventListener("visibilitychange", () => report(document.hidden ? "paused" : "connecting"));

// Calls `load(signal)` now and a second after each answer; not while the tab is hidden; slower while the server is away.
export function poll(load, onData, onError) {
  const stop = new AbortController();
  let timer = 0;
  let failures = 0;
  let busy = false;
  const run = async () => {
    clearTimeout(timer);
    if (busy || document.hidden || stop.signal.aborted) return;
    busy = true;
    try {
      const data = await load(stop.signal);
      if (stop.signal.aborted) return;
      failures = 0;
      report(document.hidden ? "paused" : "live");
      onData(data);
    } catch (error) {
      if (stop.signal.aborted) return;
      // An answer that refuses is an answer; silence and 5xx mean that the server is away.
      const away = !error.status || error.status >= 500;
      failures = away ? failures + 1 : 0;
      report(document.hidden ? "paused" : away ? "offline" : "live");
      onError(error, away);
    } finally {
      busy = false;
    }
    timer = setTimeout(run, Math.min(POLL_MS * 2 ** failures, BACKOFF_MAX_MS));
  };
  document.addEventListener("visibilitychange", run);
  run();
  return () => {
    stop.abort();
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", run);
  };
}

// { data, error } of one GET, live. What was shown stays while the server is away.
export function useLive(url) {
  const [answer, setAnswer] = useState({ url });
  useEffect(
    () =>
      poll(
        (signal) => get(url, signal),
        (data) => setAnswer((was) => (was.url === url && was.data === data && !was.error ? was : { url, data })),
        (error, away) => setAnswer((was) => (away && was.url === url && was.data ? was : { url, error })),
      ),
    [url],
  );
  return answer.url === url ? answer : {};
}

// { items, next, complete, more(), error, changed } of a list, live over every page that was opened. `changed` holds the ids that
// moved or came since the answer before, so that the page can point at them.
export function useLiveList(path, parameters) {
  const first = address(path, parameters);
  const [pages, setPages] = useState({ first, count: 1 });
  const [answer, setAnswer] = useState({ first });
  const seen = useRef(new Map());
  const count = pages.first === first ? pages.count : 1;
  useEffect(() => {
    seen.current = new Map();
  }, [first]);
  useEffect(() => {
    let shown = [];
    const walk = async (signal) => {
      const walked = [];
      for (let url = first; url && walked.length < count; ) {
        const page = await get(url, signal);
        walked.push(page);
        url = page.next ? address(path, { ...parameters, cursor: page.next }) : undefined;
      }
      return walked;
    };
    return poll(
      walk,
      (walked) => {
        if (walked.length === shown.length && walked.every((page, i) => page === shown[i])) return;
        shown = walked;
        setAnswer({ first, ...join(walked, seen.current) });
      },
      (error, away) => setAnswer((was) => (away && was.first === first && was.items ? was : { first, error })),
    );
  }, [first, count]);
  const more = () => setPages({ first, count: count + 1 });
  return answer.first === first ? { ...answer, more } : { more };
}

// One list of several pages, each item once; `seen` remembers id → updated_at between answers.
export function join(pages, seen) {
  const items = [...new Map(pages.flatMap((page) => page.items).map((item) => [item.id, item])).values()];
  const fresh = seen.size > 0;
  const changed = new Set(items.filter((item) => fresh && seen.get(item.id) !== stamp(item)).map((item) => item.id));
  for (const item of items) seen.set(item.id, stamp(item));
  const last = pages[pages.length - 1];
  return { items, next: last.next, complete: last.complete, changed };
}
const stamp = (item) => `${item.stage} ${item.result} ${item.updated_at} ${item.version}`;
