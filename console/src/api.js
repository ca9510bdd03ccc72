// The public HTTP API as the pages see it: GETs that stay up to date while somebody looks.
import { useEffect, useRef, useState } from "preact/hooks";
import { store } from "./store.js";

const POLL_MS = 1000;
const STREAM_WAIT_MS = 3000;
const ANSWER_WAIT_MS = 10000;
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
  if (!reply.ok) {
    const error = await refusal(reply);
    if (error.status === 401) unauthorized(error);
    throw error;
  }
  const data = await reply.json();
  remembered.delete(url);
  const etag = reply.headers.get("etag");
  if (etag) remembered.set(url, { etag, data });
  if (remembered.size > REMEMBERED_MAX) remembered.delete(remembered.keys().next().value);
  return data;
}

export const forgetAnswers = () => remembered.clear();

// What an answer that refuses says, as an error with the problem's `status` and `code`, and how long to wait where it says so.
export async function refusal(reply) {
  const problem = await reply.json().catch(() => ({}));
  const wait_s = Number(reply.headers.get("retry-after")) || undefined;
  return refused({ ...problem, status: reply.status }, wait_s);
}
function refused({ detail, title, status, code, errors }, wait_s) {
  return Object.assign(new Error(detail || title || `The server answered ${status}.`), { status, code, errors, wait_s });
}

// One command: what the server replied, or its refusal as an error.
export const tell = (method, url, body) => tellText(method, url, JSON.stringify(body));
// The same of a body that is JSON already, with numbers that a script can't hold.
export async function tellText(method, url, body) {
  const headers = { accept: "application/json", "content-type": "application/json" };
  const reply = await fetch(url, { method, headers, body, cache: "no-store" }).catch(() => {
    throw new Error("The server doesn't answer.");
  });
  if (reply.ok) return reply.json();
  const error = await refusal(reply);
  if (error.status === 401) unauthorized(error);
  throw error;
}

// Called with every 401 that a GET meets.
let unauthorized = () => {};
export const whenUnauthorized = (act) => (unauthorized = act);

// The address of a GET: absent and empty parameters are left out.
export function address(path, parameters = {}) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, v]) => v !== undefined && v !== ""));
  return query.size ? `${path}?${query}` : path;
}

// Whether the server answers: "connecting", "live", "offline" or "paused". Pages report to it, the header shows it.
const connection = store(document.hidden ? "paused" : "connecting");
export const report = (state) => connection.set(document.hidden ? "paused" : state);
export const useConnection = () => connection.use();
document.addEventListener("visibilitychange", () => report("connecting"));

// One GET, live: `onData(data)` with the answer and each changed one, by a stream of merge patches. A browser opens few connections to one
// server: where no stream comes in time, or the route has none (`streams`), the answer is asked for once a second. Nothing is open while
// the tab is hidden.
export function follow(url, onData, onError, streams = true) {
  let source, timer, data;
  let failures = 0;
  let stopped = false;
  const absent = new AbortController();
  const later = (wait, what) => {
    clearTimeout(timer);
    timer = setTimeout(what, wait);
  };
  const close = () => {
    source?.close();
    source = undefined;
    clearTimeout(timer);
  };
  const told = (next) => {
    data = next;
    failures = 0;
    report("live");
    onData(next);
  };
  const failed = (error) => {
    if (stopped) return;
    // An answer that refuses is an answer; silence and 5xx mean that the server is away.
    const away = !error.status || error.status >= 500;
    failures = away ? failures + 1 : 0;
    report(away ? "offline" : "live");
    onError(error, away);
  };
  // What a stream can't tell is asked for: why there is none, or the answer itself.
  const ask = async () => {
    try {
      const answer = await get(url, AbortSignal.any([absent.signal, AbortSignal.timeout(ANSWER_WAIT_MS)]));
      if (!stopped) told(answer);
      return true;
    } catch (error) {
      failed(error);
      return false;
    }
  };
  const poll = async () => {
    await ask();
    if (!stopped && !document.hidden) later(Math.min(POLL_MS * 2 ** failures, BACKOFF_MAX_MS), failures ? open : poll);
  };
  const reopen = (wait) => {
    close();
    later(wait, open);
  };
  const open = () => {
    close();
    if (stopped || document.hidden) return;
    if (!streams) return void poll();
    source = new EventSource(`${url}${url.includes("?") ? "&" : "?"}live=patch`);
    later(STREAM_WAIT_MS, () => {
      close();
      poll();
    });
    const here = source;
    const on = (name, act) =>
      source.addEventListener(name, (event) => {
        if (here === source) act(event);
      });
    on("open", () => report("live"));
    on("message", (event) => {
      clearTimeout(timer);
      told(JSON.parse(event.data));
    });
    on("patch", (event) => told(patched(data, JSON.parse(event.data))));
    on("problem", (event) => {
      const error = refused(JSON.parse(event.data));
      if (error.status === 401) unauthorized(error);
      failed(error);
    });
    on("moved", (event) => reopen(JSON.parse(event.data).retry_ms));
    on("error", async () => {
      close();
      const answers = await ask();
      if (!stopped) later(answers ? POLL_MS : Math.min(POLL_MS * 2 ** failures, BACKOFF_MAX_MS), open);
    });
  };
  document.addEventListener("visibilitychange", open);
  open();
  return () => {
    stopped = true;
    absent.abort();
    close();
    document.removeEventListener("visibilitychange", open);
  };
}

// RFC 7396.
export function patched(target, patch) {
  if (patch === null || typeof patch !== "object" || Array.isArray(patch)) return patch;
  const out = target && typeof target === "object" && !Array.isArray(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete out[name];
    else out[name] = patched(out[name], value);
  }
  return out;
}

// { data, error } of one GET, live. What was shown stays while the server is away.
export function useLive(url) {
  const [answer, setAnswer] = useState({ url });
  useEffect(
    () =>
      follow(
        url,
        (data) => setAnswer((was) => (was.url === url && was.data === data && !was.error ? was : { url, data })),
        (error, away) => setAnswer((was) => (away && was.url === url && was.data ? was : { url, error })),
      ),
    [url],
  );
  return answer.url === url ? answer : {};
}

// { data, error, again() } of one GET that is asked for once, and by again(): for answers that cost the server much.
export function useOnce(url) {
  const [answer, setAnswer] = useState({ url });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const absent = new AbortController();
    const failed = (error) => setAnswer({ url, error: error.status ? error : new Error("The server doesn't answer.") });
    get(url, absent.signal).then(
      (data) => setAnswer({ url, data }),
      (error) => absent.signal.aborted || failed(error),
    );
    return () => absent.abort();
  }, [url, turn]);
  const again = () => setTurn(turn + 1);
  return answer.url === url ? { ...answer, again } : { again };
}

// { items, next, complete, why, more(), error, busy } of a list that costs the server much: each page is asked for once.
export function useSearch(path, parameters) {
  const first = address(path, parameters);
  const [answer, setAnswer] = useState({ first });
  const ask = (before, signal) => {
    const url = before ? address(path, { ...parameters, cursor: before.next }) : first;
    setAnswer({ ...before, first, busy: true });
    const told = (next) => setAnswer((was) => (was.first === first ? { first, ...next } : was));
    const failed = (error) => told({ ...before, error: error.status ? error : new Error("The server doesn't answer.") });
    get(url, signal).then((page) => told({ ...page, items: [...(before?.items ?? []), ...page.items] }), failed);
  };
  useEffect(() => {
    const absent = new AbortController();
    ask(undefined, absent.signal);
    return () => absent.abort();
  }, [first]);
  return answer.first === first ? { ...answer, more: () => ask(answer) } : {};
}

// { items, next, complete, why, more(), error, changed } of a list, live over every page that was opened. `changed` holds the ids that
// moved or came since the answer before, so that the page can point at them. `idOf` tells one item from another. The first page tells that
// something changed; where later ones may change without it, `also` is what changes then.
export function useLiveList(path, parameters, { idOf = ({ id }) => id, also } = {}) {
  const first = address(path, parameters);
  const [pages, setPages] = useState({ first, count: 1 });
  const [answer, setAnswer] = useState({ first });
  const seen = useRef(new Map());
  const again = useRef();
  const count = pages.first === first ? pages.count : 1;
  useEffect(() => {
    seen.current = new Map();
  }, [first]);
  useEffect(() => {
    const failed = (error, isAway) => setAnswer((was) => (isAway && was.first === first && was.items ? was : { first, error }));
    let stopped = false;
    let newest, walking;
    const walk = async () => {
      const walked = [newest];
      while (walked.length < count && walked[walked.length - 1].next)
        walked.push(await get(address(path, { ...parameters, cursor: walked[walked.length - 1].next })));
      if (!stopped) setAnswer({ first, ...join(walked, seen.current, idOf) });
    };
    // One walk at a time; what comes meanwhile is seen by the one after it.
    const told = async (page = newest) => {
      newest = page;
      if (walking || !page) return void (walking &&= "again");
      do {
        walking = "once";
        await walk().catch((error) => stopped || failed(error, !error.status || error.status >= 500));
      } while (walking === "again" && !stopped);
      walking = undefined;
    };
    again.current = told;
    const stop = follow(first, told, failed);
    return () => {
      stopped = true;
      stop();
    };
  }, [first, count]);
  useEffect(() => void (count > 1 && again.current()), [also]);
  const more = () => setPages({ first, count: count + 1 });
  return answer.first === first ? { ...answer, more } : { more };
}

// One list of several pages, each item once; `seen` remembers what each was in the answer before.
function join(pages, seen, idOf) {
  const items = new Map(pages.flatMap((page) => page.items).map((item) => [idOf(item), item]));
  const now = new Map([...items].map(([id, item]) => [id, JSON.stringify(item)]));
  const changed = new Set(seen.size ? [...now].filter(([id, told]) => seen.get(id) !== told).map(([id]) => id) : []);
  for (const [id, told] of now) seen.set(id, told);
  const { next, complete, why } = pages[pages.length - 1];
  return { items: [...items.values()], next, complete, why, changed };
}
