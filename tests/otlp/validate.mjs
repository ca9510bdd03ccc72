// Holds OTLP/JSON against the protobuf definitions of OTLP. What the JSON mapping of OTLP says beyond protobuf's (ids in hex, enums as
// integers) is undone here by its own rules; then every member must come back from the binary form, so none has a wrong name or type.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { isDeepStrictEqual } from "node:util";

const require = createRequire(import.meta.url);
const root = require("@opentelemetry/otlp-transformer/build/src/generated/root.js");
const Request = root.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;

const ids = { traceId: 32, spanId: 16, parentSpanId: 16 };
const enums = { kind: [1, 2, 3, 4, 5], code: [0, 1, 2] };

// As protobuf's own JSON mapping has it, with ids in base64; throws at what OTLP forbids.
function as_protobuf(value, name = "") {
  if (Array.isArray(value)) return value.map((item) => as_protobuf(item));
  if (value !== null && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, as_protobuf(v, k)]));
  if (name in ids) {
    if (!new RegExp(`^[0-9a-f]{${ids[name]}}$`).test(value) || /^0+$/.test(value)) throw new Error(`${name}: ${value}`);
    return Buffer.from(value, "hex").toString("base64");
  }
  if (name in enums && !enums[name].includes(value)) throw new Error(`${name}: ${value}`);
  if (/UnixNano$|^intValue$/.test(name) && !/^-?[0-9]+$/.test(value)) throw new Error(`${name}: ${value}`);
  return value;
}

function faults(json) {
  try {
    const given = as_protobuf(json);
    const message = Request.decode(Request.encode(Request.fromObject(given)).finish());
    const back = Request.toObject(message, { longs: String, enums: Number, bytes: String, json: true });
    return isDeepStrictEqual(prune(back), prune(given)) ? [] : [`decoded as ${JSON.stringify(back, null, 1)}`];
  } catch (error) {
    return [error.message];
  }
}

// Without members that have protobuf's default value: it doesn't send them.
function prune(value) {
  if (Array.isArray(value)) return value.map(prune);
  if (value === null || typeof value !== "object") return value;
  const is_default = (v) => v === 0 || v === "" || v === "0" || (Array.isArray(v) && !v.length);
  const kept = Object.entries(value).map(([k, v]) => [k, prune(v)]);
  return Object.fromEntries(kept.filter(([k, v]) => k.endsWith("Value") || !is_default(v)));
}

const spoilings = [
  ["a wrong name", (t) => t.replace("startTimeUnixNano", "start_time_nano")],
  ["an enum by name", (t) => t.replace(/"kind":2/, '"kind":"SPAN_KIND_SERVER"')],
  ["an id in upper case", (t) => t.replace(/"traceId":"0af7/, '"traceId":"0AF7')],
  ["an id that is too short", (t) => t.replace(/"spanId":"./, '"spanId":"')],
  ["a name that is none of its message", (t) => t.replace('"scopeSpans"', '"spans"')],
];

let failed = false;
for (const file of process.argv.slice(2)) {
  const text = readFileSync(file, "utf8");
  const found = faults(JSON.parse(text));
  // The decoder must be one that finds something.
  for (const [what, spoil] of spoilings) {
    if (spoil(text) === text) found.push(`nothing to spoil: ${what}`);
    else if (!faults(JSON.parse(spoil(text))).length) found.push(`let through: ${what}`);
  }
  console.log(`${found.length ? "FAILED" : "valid "} ${file}`);
  for (const fault of found) console.log(fault);
  failed ||= found.length > 0;
}
process.exit(failed ? 1 : 0);
