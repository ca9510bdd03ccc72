// The frame around every page: name, search box, connection, keys.
import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { useConnection } from "./api.js";
import { Link } from "./links.js";
import { pages } from "./pages.js";
import { findSession, useSession } from "./session.js";
import { Account, SignIn } from "./signin.js";
import { html, Problem } from "./ui.js";

// "#/tracker/packages/hello" → { page: tracker, path: ["packages", "hello"] }. The first page has no name in the hash.
function route(hash) {
  const path = hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decode);
  const named = pages.find((page) => page.name === path[0]);
  return named ? { page: named, path: path.slice(1) } : { page: pages[0], path };
}
const listed = pages.filter((page) => !page.unlisted);
const start = (page) => (page === pages[0] ? "#/" : `#/${page.name}`);
// From within a page to what the page says is above, or to its start; from there to the first page.
function back(hash) {
  const { page, path } = route(hash);
  return path.length ? (page.above?.(path) ?? start(page)) : "#/";
}
function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const CONNECTION = {
  connecting: "Connecting…",
  live: "Live",
  offline: "The server doesn't answer; trying again",
  paused: "Paused while the tab is hidden",
};

function Connection() {
  const state = useConnection();
  return html`<p class=${`connection ${state}`} role="status" aria-live="polite"><span class="dot" aria-hidden="true"></span>
    <span class="words">${CONNECTION[state]}</span></p>`;
}

// j and k walk over the rows of a page in reading order; Enter follows the link, as everywhere.
function step(direction) {
  const rows = [...document.querySelectorAll("[data-row]")];
  const at = rows.indexOf(document.activeElement);
  const next = at < 0 ? (direction > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + direction, 0), rows.length - 1);
  rows[next]?.focus();
}

function useKeys(box, clear) {
  useEffect(() => {
    const onKey = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const typing = event.target.matches("input, textarea, select");
      if (event.key === "Escape") {
        clear();
        box.current?.blur();
        location.hash = back(location.hash);
      } else if (event.key === "ArrowDown" && event.target === box.current) {
        event.preventDefault();
        step(1);
      } else if (typing) {
        return;
      } else if (event.key === "/") {
        event.preventDefault();
        box.current?.focus();
        box.current?.select();
      } else if (event.key === "j" || event.key === "k") {
        event.preventDefault();
        step(event.key === "j" ? 1 : -1);
      }
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
}

function useHash() {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const onHash = () => setHash(location.hash);
    addEventListener("hashchange", onHash);
    return () => removeEventListener("hashchange", onHash);
  }, []);
  return hash;
}

// What was typed, once the fingers rest.
function useRested(text, rest_ms = 150) {
  const [rested, setRested] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setRested(text), rest_ms);
    return () => clearTimeout(timer);
  }, [text]);
  return text === "" ? "" : rested;
}

function App() {
  const session = useSession();
  const hash = useHash();
  const [text, setText] = useState("");
  const query = useRested(text.trim());
  const box = useRef();
  useKeys(box, () => setText(""));
  useEffect(() => setText(""), [hash]);
  const { page, path } = route(hash);
  const isIn = session && !session.anonymous && !session.refused;
  useEffect(() => {
    document.title = [...(isIn ? [...path.slice(1, 2), page.title] : session?.anonymous ? ["Sign in"] : []), "Gantry"].join(" · ");
  }, [hash, session]);
  return html`
    <header>
      <a class="brand" href="#/">Gantry</a>
      ${isIn && html`<nav aria-label="Pages">
        ${listed.map((p) => html`<a href=${start(p)} aria-current=${p === page ? "page" : undefined}>${p.title}</a>`)}
      </nav>
      <form role="search" onSubmit=${(event) => (event.preventDefault(), step(1))}>
        <input ref=${box} type="search" aria-label=${page.find} placeholder=${`${page.find}  ( / )`} value=${text} maxlength="200"
          autocomplete="off" autocapitalize="off" spellcheck="false" onInput=${(event) => setText(event.target.value)} />
      </form>`}
      <${Connection} />
      ${isIn && !session.open && html`<${Account} key=${session.caller} session=${session} />`}
    </header>
    <main>
      ${!session && html`<p class="empty">Loading…</p>`}
      ${session?.refused && html`<${Problem} error=${session.refused} />`}
      ${session && !session.refused && html`<${Link} key=${hash} hash=${hash} />`}
      ${session?.anonymous && !Link.opens(hash) && html`<${SignIn} why=${session.why} />`}
      ${isIn && !Link.opens(hash) && html`<${page.Page} key=${page.name} path=${path} query=${query} pages=${pages} />`}
    </main>
    <footer>
      <span><kbd>/</kbd> search</span> <span><kbd>j</kbd> <kbd>k</kbd> next, previous row</span> <span><kbd>Enter</kbd> open</span>
      ${" "}<span><kbd>Esc</kbd> back</span> <a href="console/licenses.txt">licences</a>
    </footer>`;
}

const root = document.getElementById("app");
root.replaceChildren();
render(html`<${App} />`, root);
findSession();
