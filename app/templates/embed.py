#!/usr/bin/env python3
"""Makes a C++ file of the templates: embed.py DIRECTORY OUT. Each becomes a row {name, text}, sorted by name."""
import pathlib
import sys

source, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
rows = [f'    {{"{path.stem}", R"template({path.read_text()})template"}},' for path in sorted(source.glob("*.in"))]
head = '#include "app/templates/templates.h"\n\nnamespace gantry::app {\n\nstatic constexpr Template rows[] = {\n'
out.write_text(head + "\n".join(rows) +
               "\n};\n\nstd::span<Template const> service_templates() { return rows; }\n\n}  // namespace gantry::app\n")
