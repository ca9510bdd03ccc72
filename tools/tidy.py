#!/usr/bin/env python3
"""The structure checks of the project: tidy.py [--root DIR] [--update]. Prints one line a finding, exits 1 if there is one.

Each check is a function from a Tree to findings (path, line, sentence). What a check allows stands in the tables at its head: an
exception is an entry there, seen by every reviewer, never a comment in the code. `--update` rewrites docs/errors.md.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys

# DESIGN §3: what each folder may include, beside itself. What those may include it may, too.
LAYERS = {
    "kernel/base": [],
    "kernel/codec": ["kernel/base"],
    "kernel/config": ["kernel/codec"],
    "kernel/observe": ["kernel/codec"],
    "kernel/state": ["kernel/config", "kernel/observe"],
    "kernel/log": ["kernel/config", "kernel/observe"],
    "kernel/auth": ["kernel/config", "kernel/observe"],
    "kernel/text": ["kernel/config", "kernel/observe"],
    "kernel/net": ["kernel/config", "kernel/observe"],
    "kernel/http": ["kernel/net", "kernel/auth"],
    "kernel/jetstream": ["kernel/net", "kernel/log"],
    "kernel/runtime": ["kernel/http", "kernel/log", "kernel/state", "kernel/text"],
    "kernel/service.h": ["kernel/runtime"],
    "kernel/testing": ["kernel/service.h"],
    "console": [],
    "gantry": ["kernel/http"],
    "app": ["kernel/service.h", "kernel/jetstream", "services", "console", "gantry"],
}
FREE_FOLDERS = {"tests", "bench", "examples", "tools"}  # may include anything: nothing includes them
SERVICE_MAY = ["kernel/service.h", "kernel/auth/passkey.h"]  # the latter is of one service alone
SERVICE_TEST_MAY = SERVICE_MAY + ["kernel/testing", "kernel/auth/passkey_device_for_test.h"]
HIDDEN_LIBRARIES = re.compile(r"^(boost/(asio|beast)|simdjson|curl)\b")

# pattern, the replacement that the finding names, where it is right nevertheless. (gantry_client.cpp goes to programs without a kernel.)
BANS = [
    (r"system_clock::now|\btime\((nullptr|NULL|0)\)|\bgettimeofday\b|CLOCK_REALTIME", "take a Clock (kernel/base/time.h)",
     ["kernel/base/time.cpp"]),
    (r"\brandom_device\b|\bmt19937|\bminstd_rand|(?<![\w.>])s?rand\(|\bdrand48\b", "take a Random (kernel/base/random.h)",
     ["kernel/base/random.cpp", "kernel/http/gantry_client.cpp"]),
    (r"\bgetenv\b", "declare a key in kernel/config, or take it from app/",
     ["kernel/config/", "kernel/codec/golden.h", "kernel/testing/mirror.cpp", "app/"]),
    (r"std::j?thread\b", "use the executors of kernel/net",
     ["kernel/net/", "kernel/log/", "kernel/http/gantry_client.cpp", "kernel/testing/", "tests/", "bench/", "_test.cpp", "_test.h"]),
    (r"\bdetached\b", "spawn into a task group of kernel/net, which owns and reports it", []),
    (r"\blocaltime(_r)?\b", "times are UTC; a zone is an explicit argument (kernel/base/time.h)", ["app/"]),
]
UNFINISHED = re.compile(r"\b(FIXME|TODO|XXX)\b")

TEXT_SUFFIXES = {".h", ".cpp", ".py", ".sh", ".js", ".mjs", ".css", ".html", ".cmake", ".txt", ".md", ".json", ".yml", ".toml"}
LONG_LINES = {".h": 140, ".cpp": 140, ".py": 140, ".sh": 140, ".js": 140, ".mjs": 140, ".css": 140, ".cmake": 140}
SKIPPED = re.compile(r"(^|/)(build[^/]*|node_modules|data|\.git|golden|goldens|fixtures|corpus)(/|$)|package-lock\.json$")


class Tree:
    """The files under `root`, read once. `paths` are relative, with slashes."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.paths = sorted(p for p in self._list() if not SKIPPED.search(p))
        self._text = {}

    def _list(self):
        git = subprocess.run(["git", "-C", str(self.root), "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True)
        if git.returncode == 0 and (self.root / ".git").exists():
            return [p for p in git.stdout.splitlines() if (self.root / p).is_file()]
        found = []
        for folder, _, names in os.walk(self.root):
            found += [os.path.relpath(os.path.join(folder, n), self.root).replace(os.sep, "/") for n in names]
        return found

    def text(self, path):
        if path not in self._text:
            self._text[path] = (self.root / path).read_bytes().decode("utf-8", errors="replace")
        return self._text[path]

    def cpp(self):
        return [p for p in self.paths if p.endswith((".h", ".cpp"))]

    def folders(self, parent):
        return sorted({p.split("/")[1] for p in self.paths if p.startswith(parent + "/") and p.count("/") >= 2})


COMMENT_OR_LITERAL = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^(\s]*)\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'', re.S)


def blank(text, keep_strings=False):
    """C++ without comments (and string contents), every line where it was."""

    def replace(match):
        found = match.group(0)
        if not found.startswith("/"):
            return found if keep_strings else '""' + "\n" * found.count("\n")
        return "\n" * found.count("\n")

    return COMMENT_OR_LITERAL.sub(replace, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def includes(text):
    """(line, name, quoted?) of every #include."""
    for match in re.finditer(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', text, flags=re.M):
        yield line_of(text, match.start(2)), match.group(2), match.group(1) == '"'


def unit_of(path):
    """The unit of the layer table that a file belongs to: "kernel/codec", "services/tracker", "app", …"""
    parts = path.split("/")
    if parts[0] == "kernel":
        return "/".join(parts[:2])
    if parts[0] == "services":
        return "/".join(parts[:2]) if len(parts) > 2 else "services"
    return parts[0]


def reach(units):
    """The units and all that they may include in turn."""
    found, todo = set(), list(units)
    while todo:
        unit = todo.pop()
        if unit not in found:
            found.add(unit)
            todo += LAYERS.get(unit, [])
    return found


def is_test(path):
    return bool(re.search(r"_(test|fuzz|sim|bench)\.cpp$|_test\.h$", path))


def check_layers(tree):
    """An arrow never points up, and services see one another's contract.h alone."""
    for path in tree.cpp():
        unit = unit_of(path)
        if unit in FREE_FOLDERS:
            continue
        service = unit.startswith("services")
        if not service and unit not in LAYERS:
            yield path, 1, f"{unit} is not in the layer table: add it to LAYERS in tools/tidy.py"
            continue
        allowed = reach([unit])
        if is_test(path) and unit.startswith("kernel/"):
            allowed |= reach(["kernel/testing"])
        for line, name, quoted in includes(tree.text(path)):
            if not quoted:
                continue
            target = unit_of(name)
            if service:
                own = target == unit or name.endswith("/contract.h") and target.startswith("services/")
                may = SERVICE_TEST_MAY if is_test(path) else SERVICE_MAY
                if not own and not any(name == m or name.startswith(m + "/") for m in may):
                    yield path, line, f"a service includes kernel/service.h and others' contract.h, not {name}"
            elif target.startswith("services") and "services" in allowed:
                continue
            elif target != unit and target not in allowed:
                yield path, line, f"{unit} may not include {name}: an arrow never points up"


def check_hidden_libraries(tree):
    """Asio, Beast, simdjson and curl appear in no header that a service includes."""
    headers = {p for p in tree.paths if p.endswith(".h")}
    roots = ["kernel/service.h"] + [p for p in headers if p.startswith("services/")]
    seen, todo = set(), [(r, r) for r in roots if r in headers]
    while todo:
        path, chain = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        for line, name, quoted in includes(tree.text(path)):
            if HIDDEN_LIBRARIES.match(name):
                yield path, line, f"<{name}> reaches every service ({chain}): hide it behind a .cpp"
            elif quoted and name in headers:
                todo.append((name, f"{chain} → {name}"))


def check_own_header(tree):
    """A source file includes the header of its name first: so each build shows that the header needs nothing before it."""
    paths = set(tree.cpp())
    for path in sorted(paths):
        header = path.removesuffix(".cpp") + ".h"
        if not path.endswith(".cpp") or header not in paths:
            continue
        line, name, _ = next(includes(tree.text(path)), (1, "", True))
        if name != header:
            yield path, line, f"include \"{header}\" before anything else"


def check_bans(tree):
    for path in tree.cpp():
        code = blank(tree.text(path))
        for pattern, instead, right_in in BANS:
            if any(path.startswith(r) or r.startswith("_") and path.endswith(r) for r in right_in):
                continue
            for match in re.finditer(pattern, code):
                yield path, line_of(code, match.start()), f"'{match.group(0)}' is banned: {instead}"


def check_unfinished(tree):
    for path in tree.paths:
        if pathlib.Path(path).suffix not in TEXT_SUFFIXES or path.startswith("tools/tidy"):
            continue
        for match in UNFINISHED.finditer(tree.text(path)):
            yield path, line_of(tree.text(path), match.start()), f"'{match.group(0)}': do it, or open an issue"


def check_text(tree):
    for path in tree.paths:
        suffix = pathlib.Path(path).suffix
        if suffix not in TEXT_SUFFIXES and pathlib.Path(path).name not in {"Makefile", ".clang-format", ".clang-tidy"}:
            continue
        text = tree.text(path)
        if text and not text.endswith("\n"):
            yield path, text.count("\n") + 1, "no newline at the end"
        if "\r" in text:
            yield path, line_of(text, text.index("\r")), "a carriage return"
        limit = LONG_LINES.get(suffix)
        for number, line in enumerate(text.split("\n"), 1):
            if "\t" in line and not path.endswith("Makefile"):
                yield path, number, "a tab"
            if line != line.rstrip() and suffix != ".md":
                yield path, number, "white space at the end of the line"
            if limit and len(line) > limit:
                yield path, number, f"{len(line)} columns; {limit} are allowed"


def check_readmes(tree):
    """kernel/README.md and services/README.md have one line a folder: | `name` | what it is |"""
    for parent in ("kernel", "services"):
        page = f"{parent}/README.md"
        if page not in tree.paths:
            yield page, 1, "is missing"
            continue
        text = tree.text(page)
        told = {m.group(1): line_of(text, m.start()) for m in re.finditer(r"^\| `([a-z_]+)/?` \|", text, flags=re.M)}
        for folder in tree.folders(parent):
            if folder not in told:
                yield page, 1, f"has no line for {parent}/{folder}"
        for name, line in told.items():
            if name not in tree.folders(parent):
                yield page, line, f"names {parent}/{name}, which is not there"


# fail(404, "code", …), Problem{404, "code", …}, and every helper with the same first two arguments.
FAILURE = re.compile(r'[({,]\s*(?P<status>[45]\d{2})\s*,\s*"(?P<code>[^"\n]*)"\s*(?P<rest>,[^;]*)?', re.S)
LITERALS = re.compile(r'"((?:\\.|[^"\\])*)"(?:\s*"((?:\\.|[^"\\])*)")*')


def error_codes(tree):
    """code -> (statuses, sentences, units), from every failure made outside tests."""
    found = {}
    for path in tree.cpp():
        if is_test(path) or unit_of(path) in FREE_FOLDERS or unit_of(path) == "kernel/testing":
            continue
        code = blank(tree.text(path), keep_strings=True)
        for match in FAILURE.finditer(code):
            entry = found.setdefault(match.group("code"), (set(), set(), set()))
            entry[0].add(match.group("status"))
            entry[1].add(sentence(match.group("rest") or ""))
            entry[2].add(unit_of(path))
    return found


def sentence(arguments):
    """The first string literal of the arguments after the code, joined over lines; `{}` of fmt shows as an ellipsis."""
    match = LITERALS.search(arguments)
    # Past the end of this call stands another's text: stop at the closing parenthesis of the call.
    if not match or arguments[: match.start()].count(")") > arguments[: match.start()].count("("):
        return ""
    joined = "".join(re.findall(r'"((?:\\.|[^"\\])*)"', match.group(0)))
    return re.sub(r"\{[^{}]*\}", "…", joined).replace('\\"', '"').replace("|", "\\|")


def errors_page(tree):
    lines = ["# Error codes", "",
             "Every `code` that a problem document can carry, from the sources by `tools/tidy.py --update`. A code is for ever;",
             "its sentence may be reworded.", "", "| Code | Status | Sentence | From |", "|---|---|---|---|"]
    for code, (statuses, sentences, units) in sorted(error_codes(tree).items()):
        said = " / ".join(sorted(s for s in sentences if s)) or "–"
        lines.append(f"| `{code}` | {', '.join(sorted(statuses))} | {said} | {', '.join(sorted(units))} |")
    return "\n".join(lines) + "\n"


def check_errors(tree):
    for path in tree.cpp():
        if is_test(path):
            continue
        code = blank(tree.text(path), keep_strings=True)
        for match in FAILURE.finditer(code):
            if not re.fullmatch(r"[a-z][a-z0-9_]*", match.group("code")):
                yield path, line_of(code, match.start()), f"the code '{match.group('code')}' is not snake_case"
    page = "docs/errors.md"
    if page not in tree.paths or tree.text(page) != errors_page(tree):
        yield page, 1, "is not what the sources say: run tools/tidy.py --update and look at the difference"


CHECKS = [check_layers, check_hidden_libraries, check_own_header, check_bans, check_unfinished, check_text, check_readmes, check_errors]


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default=pathlib.Path(__file__).resolve().parent.parent)
    parser.add_argument("--update", action="store_true", help="rewrite docs/errors.md")
    options = parser.parse_args(arguments)
    tree = Tree(options.root)
    if options.update:
        page = tree.root / "docs/errors.md"
        page.parent.mkdir(exist_ok=True)
        page.write_text(errors_page(tree))
        tree = Tree(options.root)
    findings = [finding for check in CHECKS for finding in check(tree)]
    for path, line, said in sorted(findings):
        print(f"{path}:{line}: {said}")
    print(f"tidy: {len(tree.paths)} files, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
