// A stand-in for the program, for working on the page alone; the committed test runs against the real one. It takes the same command
// line: `fixture_server.mjs serve --listen ADDR:PORT --data DIR` and `fixture_server.mjs import dpkg-log FILE --server URL`.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

const here = import.meta.dirname;
const option = (name) => process.argv[process.argv.indexOf(name) + 1];
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'";
const TYPES = { html: "text/html; charset=utf-8", js: "text/javascript", css: "text/css", svg: "image/svg+xml", txt: "text/plain" };
const RESULTS = { installed: "installed", "config-files": "removed", "not-installed": "purged" };

const runs = [];
const imports = [];
let reports = 0;

function take(report) {
  reports += 1;
  const at = report.at ?? new Date().toISOString();
  let run = runs.findLast((r) => r.package === report.package && r.arch === report.arch && !r.superseded);
  if (!run || run.version !== report.version || run.result) {
    if (run) run.superseded = run.version !== report.version;
    const { package: name, version, arch, reporter, series = "", trigger = "", source = "" } = report;
    run = { id: `r_${runs.length + 1}`, package: name, version, arch, series, trigger, source, reporter, started_at: at };
    Object.assign(run, { superseded: false, stages: [] });
    runs.push(run);
  }
  run.stages.push({ stage: report.stage, at, reporter: report.reporter, note: report.note, url: report.url });
  Object.assign(run, { stage: report.stage, updated_at: at });
  const result = report.result ?? RESULTS[report.stage];
  if (result) Object.assign(run, { result, completed_at: at });
}

const count = (items) => items.reduce((all, name) => ({ ...all, [name]: (all[name] ?? 0) + 1 }), {});
const brief = ({ stages, ...run }) => run;

function list(items, query) {
  const start = Number(query.get("cursor") ?? 0);
  const limit = Number(query.get("limit") ?? 50);
  const more = start + limit < items.length;
  const page = items.slice(start, start + limit).map(brief);
  return { items: page, next: more ? String(start + limit) : undefined, complete: !more, position: `x.${reports}` };
}

function answer(path, query) {
  const done = runs.filter((r) => r.result);
  const open = runs.filter((r) => !r.result && !r.superseded);
  if (path === "summary") {
    const hours = count(runs.flatMap((r) => r.stages.map((s) => `${s.at.slice(0, 13)}:00:00Z`)));
    return { in_flight: open.length, completed: done.length, packages: new Set(runs.map((r) => r.package)).size, reports,
      stages: count(open.map((r) => r.stage)), results: count(done.map((r) => r.result)),
      hours: Object.keys(hours).sort().map((hour) => ({ hour, reports: hours[hour],
        completed: done.filter((r) => `${r.completed_at.slice(0, 13)}:00:00Z` === hour).length })) };
  }
  if (path === "results") return list([...done].sort((a, b) => b.completed_at.localeCompare(a.completed_at)), query);
  if (path === "imports") return { items: imports, complete: true };
  if (path === "packages") {
    const state = query.get("state");
    const from = state === "in-flight" ? open : state === "completed" ? done : runs.filter((r) => !r.superseded);
    const kept = from.filter((r) => r.package.startsWith(query.get("prefix") ?? "") && (query.get("stage") ?? r.stage) === r.stage);
    return list(kept.sort((a, b) => a.package.localeCompare(b.package)), query);
  }
  const [kind, name] = path.split("/").map(decodeURIComponent);
  const history = runs.filter((r) => kind === "packages" && r.package === name);
  return history.length ? { package: name, runs: history, complete: true } : undefined;
}

async function body(request) {
  let text = "";
  for await (const piece of request) text += piece;
  return text;
}

function serve() {
  const files = mkdtempSync(join(tmpdir(), "console-"));
  execFileSync("python3", ["-B", join(here, "../../console/embed.py"), join(here, "../../console"), files]);
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, "http://x");
    const path = url.pathname.replace(/^\/tracker\/v1\//, "");
    if (request.method === "POST") {
      [JSON.parse(await body(request))].flat().forEach(take);
      return response.writeHead(200, { "content-type": "application/json" }).end("{}");
    }
    let text, type = "application/json";
    if (path !== url.pathname) {
      const data = answer(path, url.searchParams);
      if (!data)
        return response.writeHead(404, { "content-type": "application/problem+json" })
          .end(JSON.stringify({ title: "Not Found", status: 404, detail: "There is no such package.", code: "package_not_found" }));
      text = JSON.stringify(data);
    } else {
      const file = path === "/" ? "index.html" : path.slice(1);
      try {
        text = readFileSync(join(files, file));
      } catch {
        return response.writeHead(404).end();
      }
      type = TYPES[file.split(".").pop()];
    }
    const etag = `"${createHash("sha1").update(text).digest("hex")}"`;
    const headers = { etag, "content-security-policy": POLICY, "cache-control": "no-cache" };
    if (request.headers["if-none-match"] === etag) return response.writeHead(304, headers).end();
    response.writeHead(200, { ...headers, "content-type": type }).end(text);
  });
  const [host, port] = option("--listen").split(":");
  server.listen(Number(port), host, () => console.log(`listening http://${host}:${server.address().port}`));
  process.on("SIGTERM", () => process.exit(0));
}

async function importLog() {
  const found = readFileSync(process.argv[4], "utf8").matchAll(/^(\S+) (\S+) status (\S+) (\S+):(\S+) (\S+)$/gm);
  const all = [...found].map(([, day, time, stage, name, arch, version]) => (
    { package: name, version, arch, stage, reporter: "dpkg", at: `${day}T${time}Z` }));
  const headers = { "content-type": "application/json" };
  await fetch(`${option("--server")}/tracker/v1/reports`, { method: "POST", body: JSON.stringify(all), headers });
}

await (process.argv[2] === "serve" ? serve() : importLog());
