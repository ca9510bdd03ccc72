#include "kernel/config/docs.h"

#include <fmt/format.h>

namespace gantry::config {
namespace {

constexpr std::string_view head =
    "# Configuration\n"
    "\n"
    "Every key, as `gantry config docs` prints it. `gantry config show` says what is in effect and who said it, `gantry config check` "
    "whether a\n"
    "configuration would be taken, `gantry config default` prints a file to begin with.\n"
    "\n"
    "A key `[section] some_name` of the TOML file that `--config` names is also the flag `--section.some-name` and the environment "
    "variable\n"
    "`GANTRY_SECTION_SOME_NAME`. A flag goes before the environment, that before the file, that before the default. A list is written in\n"
    "brackets in the file, with commas in the environment, and by repeating the flag.\n"
    "\n"
    "A change takes effect at once, when the process is told to read its configuration again (SIGHUP), or needs a restart: each key says "
    "which.\n"
    "\n"
    "A **secret** is best given as `file:/path` or `credential:NAME` (systemd's `LoadCredential=`): the file's content, without one "
    "newline at\n"
    "its end, 64 KiB at most; only its owner and group may have any right on it. A plain secret may stand in a configuration file that "
    "not\n"
    "everybody can read. Secrets appear in no output.\n";

// Text of a sentence in Markdown: "DATA/<site>" is no HTML.
std::string escaped(std::string_view text) {
    std::string out;
    for (char c : text) out.append(c == '<' || c == '*' || c == '`' ? "\\" : "").append(1, c);
    return out;
}

std::string entry(Key const& key) {
    return fmt::format("\n### `{}`\n\n{}\n\n- takes {}{}{}\n- default: {}\n- flag `{}`, variable `{}`\n- a change {}\n", key.path(),
                       escaped(key.doc), escaped(key.expected), key.unit.empty() ? "" : ", in " + key.unit,
                       key.secret ? "; **secret**" : "", default_of(key), key.flag(), key.variable(),
                       key.change == Change::at_once ? "takes effect at once" : "needs a restart");
}

}  // namespace

std::string default_of(Key const& key) {
    if (key.fallback.empty()) return "not set";
    return key.secret ? "`[secret]`" : fmt::format("`{}`", key.fallback);
}

std::string reference_page(std::vector<Section> const& sections) {
    std::string out(head);
    for (auto const& section : sections) {
        out += fmt::format("\n## [{}]\n", section.name);
        for (auto const& key : section.keys) out += entry(key);
    }
    return out;
}

}  // namespace gantry::config
