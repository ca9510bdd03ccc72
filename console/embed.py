#!/usr/bin/env python3
"""Puts the console's files into one C++ source: embed.py CONSOLE_DIR OUTPUT.cpp. With a directory as OUTPUT, writes them there instead,
to look at the page without building.

Modules of npm packages come from node_modules (installed by lock file) and are served beside ours under /console/. Their bare imports
become relative paths, since an import map would be an inline script, which the page's Content-Security-Policy refuses.
"""
import gzip
import hashlib
import pathlib
import re
import sys

# bare import → (file in node_modules, name under /console/)
MODULES = {
    "preact": ("preact/dist/preact.mjs", "preact.js"),
    "preact/hooks": ("preact/hooks/dist/hooks.mjs", "preact-hooks.js"),
    "htm": ("htm/dist/htm.mjs", "htm.js"),
    "uplot": ("uplot/dist/uPlot.esm.js", "uplot.js"),
}
STYLES = {"uplot/dist/uPlot.min.css": "uplot.css"}
LICENCES = ["preact", "htm", "uplot"]
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8"}
IMPORT = re.compile(r'(\bfrom\s*|\bimport\s*)(["\'])([a-z@][\w@/.-]*)\2')


def relative_imports(text):
    def replace(match):
        if match.group(3) not in MODULES:
            sys.exit(f"embed.py: import of {match.group(3)!r}: add it to MODULES")
        return f'{match.group(1)}{match.group(2)}./{MODULES[match.group(3)][1]}{match.group(2)}'

    text = re.sub(r"\n?//# sourceMappingURL=.*", "", text)
    return IMPORT.sub(replace, text)


def assets(console):
    """path → bytes"""
    libraries = console / "node_modules"
    if not libraries.is_dir():
        sys.exit("embed.py: console/node_modules is not there: run `make setup` once")
    found = {}
    for source in sorted((console / "src").iterdir()):
        text = source.read_text()
        path = "/" if source.name == "index.html" else f"/console/{source.name}"
        found[path] = relative_imports(text) if source.suffix == ".js" else text
    for file, name in MODULES.values():
        found[f"/console/{name}"] = relative_imports((libraries / file).read_text())
    for file, name in STYLES.items():
        found[f"/console/{name}"] = (libraries / file).read_text()
    found["/console/licenses.txt"] = "\n".join(
        f"{name}\n{'=' * len(name)}\n\n{(libraries / name / 'LICENSE').read_text()}" for name in LICENCES)
    return {path: text.encode() for path, text in sorted(found.items())}


def array(name, data):
    rows = [",".join(map(str, data[i:i + 40])) for i in range(0, len(data), 40)]
    return f"constexpr unsigned char {name}[] = {{\n" + ",\n".join(rows) + "};\n"


def source(files):
    out = ['#include "console/console.h"\n\nnamespace gantry::console {\nnamespace {\n']
    rows = []
    for number, (path, body) in enumerate(files.items()):
        packed = gzip.compress(body, 9, mtime=0)
        kind = TYPES[".html" if path == "/" else pathlib.Path(path).suffix]
        etag = '\\"' + hashlib.sha256(body).hexdigest()[:20] + '\\"'
        out += [array(f"body_{number}", body), array(f"gzip_{number}", packed)]
        rows.append(f'    {{"{path}", "{kind}", "{etag}", text(body_{number}), text(gzip_{number})}},\n')
    out += ["template <std::size_t N>\nstd::string_view text(unsigned char const (&bytes)[N]) {\n",
            "    return {reinterpret_cast<char const*>(bytes), N};\n}\n",
            "Asset const table[] = {\n", *rows, "};\n}  // namespace\n\n",
            "std::span<Asset const> assets() { return table; }\n}  // namespace gantry::console\n"]
    return "".join(out)


def main(console, output):
    files = assets(console)
    if not output.is_dir():
        output.write_text(source(files))
        return
    for path, body in files.items():
        target = output / ("index.html" if path == "/" else path[1:])
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(body)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
