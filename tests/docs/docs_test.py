#!/usr/bin/env python3
"""Holds the documents against what they speak of: docs_test.py CHECK…, each of
  links                                every relative link and anchor of docs/, and of the READMEs, leads somewhere
  blocks                               the C++ of docs/writing-a-service.md stands in the example, word for word
  tests                                each test that docs/security.md names exists
  commands GANTRY                      docs/operations.md names every subcommand
  workers GANTRY                       the workers of docs/services/queue.md work
  sessions GANTRY GANTRY_REMINDERS     what the pages show of commands is what they print; with --update: make it so
"""
import pathlib
import re
import subprocess
import sys
import textwrap

import sessions
import workers

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SKIPPED = re.compile(r"(^|/)(build[^/]*|node_modules|\.git|data)(/|$)")
LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")


def pages():
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("**/README.md")]
    return sorted({p for p in found if not SKIPPED.search(str(p.relative_to(ROOT)))})


def prose(text):
    """Without code, where a bracket is no link."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    text = re.sub(r"^    .*$", "", text, flags=re.M)
    return re.sub(r"`[^`\n]*`", "``", text)


def anchors(path):
    out = {}
    for title in re.findall(r"^#+ +(.*)$", re.sub(r"^```.*?^```", "", path.read_text(), flags=re.S | re.M), flags=re.M):
        slug = re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")
        count = out.get(slug, 0)
        out[slug] = count + 1
        if count:
            out[f"{slug}-{count}"] = 1
    return out


def check_links():
    for page in pages():
        for target in LINK.findall(prose(page.read_text())):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            where = (page.parent / path).resolve() if path else page
            if not where.exists():
                yield f"{page.relative_to(ROOT)}: {target} is not there"
            elif anchor and anchor not in anchors(where):
                yield f"{page.relative_to(ROOT)}: {target}: there is no such heading"


def check_blocks():
    page = ROOT / "docs/writing-a-service.md"
    blocks = re.findall(r"(?:^<!-- from: (\S+) -->\n\n)?^```cpp\n(.*?)^```", page.read_text(), flags=re.S | re.M)
    if len(blocks) < 10:
        yield f"{page.name}: there are {len(blocks)} blocks of C++"
    for source, block in blocks:
        first = block.splitlines()[0]
        if not source:
            yield f"{page.name}: {first}: no `<!-- from: FILE -->` says where it is from"
        elif block not in textwrap.dedent((ROOT / source).read_text()) and not indented(block, (ROOT / source).read_text()):
            yield f"{page.name}: {first}: does not stand in {source}"


def indented(block, text):
    return any(textwrap.indent(block, " " * n) in text for n in (4, 8))


def check_tests():
    text = (ROOT / "docs/security.md").read_text()
    sources = "\n".join(p.read_text() for p in ROOT.glob("**/*_test.cpp") if not SKIPPED.search(str(p.relative_to(ROOT))))
    declared = {f"{a}.{b}" for a, b in re.findall(r"\bTEST(?:_F|_P)?\((\w+),\s*(\w+)\)", sources)}
    named = re.findall(r"`([A-Z]\w+\.[A-Z]\w+)`", text)
    if len(named) < 20:
        yield f"security.md: {len(named)} tests are named"
    yield from (f"security.md: there is no test {name}" for name in named if name not in declared)
    files = re.findall(r"`((?:kernel|app|tests|services|packaging|tools|docs)/[\w./-]+)`", text)
    yield from (f"security.md: there is no {name}" for name in files if not (ROOT / name).exists())


def subcommands(gantry, path=()):
    said = subprocess.run([gantry, "help", *path], capture_output=True, text=True, check=True).stdout
    listed = re.search(r"^Subcommands:\n((?:  .*\n)+)", said, flags=re.M)
    names = re.findall(r"^  (\w[\w-]*)", listed.group(1), flags=re.M) if listed else []
    for name in names:
        yield from subcommands(gantry, (*path, name))
    if not names:
        yield path


def check_commands(gantry):
    text = (ROOT / "docs/operations.md").read_text()
    # `gantry log ls|cat` names both.
    told = set(re.findall(r"gantry ([a-z][a-z -]*)", text))
    for head, tails in re.findall(r"gantry ((?:[a-z-]+ )*)([a-z-]+(?:\\?\|[a-z-]+)+)", text):
        told |= {head + tail for tail in re.split(r"\\?\|", tails)}
    for path in subcommands(gantry):
        wanted = " ".join(path)
        if not any(said == wanted or said.startswith(wanted + " ") for said in told):
            yield f"operations.md says nothing of gantry {wanted}"


def check_sessions(gantry, with_reminders, update=False):
    gantry, with_reminders = pathlib.Path(gantry).resolve(), pathlib.Path(with_reminders).resolve()
    for page in sorted((ROOT / "docs").glob("**/*.md")):
        text = page.read_text()
        for line, command, expected, found in sessions.run_page(page, gantry, with_reminders):
            if sessions.same(expected, found):
                continue
            if update:
                text = rewritten(text, command, expected, found)
            else:
                yield f"{page.name}:{line}: $ {command}\n--- the page says\n{expected}--- and it is\n{found}"
        if update:
            page.write_text(text)


def rewritten(text, command, expected, found):
    def block(said):
        return "".join(f"    {line}\n" if line else "\n" for line in said.splitlines())

    old = block(f"$ {command}") + block(expected)
    assert old in text, command
    lines = [piece for line in found.rstrip().splitlines() for piece in folded(line)]
    return text.replace(old, block(f"$ {command}") + block("\n".join(lines) + "\n" * expected.endswith("\n\n")), 1)


def folded(line, width=132):
    """A line in pieces that fit, broken behind commas and spaces."""
    pieces = [""]
    for part in re.findall(r"[^, ]*(?:,(?=[\"{])|[, ]+|$)", line):
        if len(pieces[-1]) + len(part.rstrip()) > width and pieces[-1]:
            pieces.append("")
        pieces[-1] += part
    return [piece.rstrip() for piece in pieces]


def check_workers(gantry):
    found = workers.workers_of(ROOT / "docs/services/queue.md")
    if len(found) < 3:
        yield f"queue.md: there are workers {', '.join(found)}"
    for name, source in found.items():
        yield from workers.findings(pathlib.Path(gantry).resolve(), name, source)


def main(check, *arguments):
    if "--update" in arguments:
        list(check_sessions(*[a for a in arguments if a != "--update"], update=True))
        return 0
    findings = list({"links": check_links, "blocks": check_blocks, "tests": check_tests, "commands": check_commands,
                     "workers": check_workers, "sessions": check_sessions}[check](*arguments))
    print("\n".join(findings) or f"docs: {check}: all is well")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
