// JSON as it was sent: a script's numbers can't hold all that JSON's can, and what somebody reads and edits here has to stay what it is.
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

// The same text with a line for each member, two spaces a level. What is no JSON comes back as it is.
export function pretty(text) {
  const tokens = text.match(TOKEN) ?? [];
  let depth = 0;
  let out = "";
  const line = () => (out += `\n${"  ".repeat(depth)}`);
  tokens.forEach((token, n) => {
    const opens = "{[".includes(token);
    const closes = "}]".includes(token);
    const isEmpty = closes && "{[".includes(tokens[n - 1]);
    if (closes) {
      depth = Math.max(0, depth - 1);
      if (!isEmpty) line();
    }
    out += token === ":" ? ": " : token;
    if (opens) {
      ++depth;
      if (!"}]".includes(tokens[n + 1] ?? "")) line();
    } else if (token === ",") {
      line();
    }
  });
  return out;
}

// The text of a member of the object that `text` is; undefined: it has none of this name.
export function memberOf(text, name) {
  let depth = 0;
  let from;
  let before;
  for (const match of text.matchAll(TOKEN)) {
    const [token] = match;
    if (from !== undefined && depth === 1 && (token === "," || token === "}")) return text.slice(from, match.index).trim();
    if (token === ":" && depth === 1 && from === undefined && before === JSON.stringify(name)) from = match.index + 1;
    if ("{[".includes(token)) ++depth;
    if ("}]".includes(token)) --depth;
    before = token;
  }
  return undefined;
}
