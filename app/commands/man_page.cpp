#include "app/commands/man_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "app/settings.h"
#include "app/version.h"

namespace gantry::app {
namespace {

constexpr std::string_view files = R"(.SH FILES
.TP
.I /etc/gantry/gantry.toml
The configuration of the packaged service; \fBgantry config default\fR prints one with every key explained.
.TP
.I /var/lib/gantry
The data of the packaged service; elsewhere \fI./data\fR, or what \fB\-\-data\fR says. Only its owner can read it.
.TP
.I DATA/FORMAT
How the rest is to be read.
.TP
.I DATA/SITE/SERVICE/log
The log of a service: the truth, of which everything else is made.
.TP
.I DATA/SITE/reports.d
Reports of failures, one JSON file each.
)";

constexpr std::string_view examples = R"(.SH EXAMPLES
.EX
gantry serve \-\-data /tmp/try
gantry call GET /tracker/v1/summary
gantry log cat tracker \-\-data /tmp/try \-\-limit 3
gantry backup \-\-to /tmp/try.backup
.EE
.SH SEE ALSO
.BR systemctl (1),
.BR journalctl (1)
)";

constexpr std::string_view environment = R"(.SH ENVIRONMENT
Every key of the configuration has a variable, named under CONFIGURATION. Besides these:
.TP
.B NO_COLOR
Set to anything: no colours on a terminal.
.TP
.B NOTIFY_SOCKET
Where \fBgantry serve\fR tells its manager that it is ready, see
.BR sd_notify (3).
)";

// The code point that begins at `at`, past which `at` is moved. What the program says of itself is valid UTF-8: our sources, that the
// compiler read.
std::uint32_t next_point(std::string_view text, std::size_t& at) {
    auto const first = static_cast<unsigned char>(text[at++]);
    std::uint32_t point = first >= 0xF0 ? first & 0x07u : first >= 0xE0 ? first & 0x0Fu : first >= 0xC0 ? first & 0x1Fu : first;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0u) == 0x80u)
        point = point << 6 | (static_cast<unsigned char>(text[at++]) & 0x3Fu);
    return point;
}

// Text between requests: backslashes mean themselves, and what stands outside of ASCII is named, so that the page needs no encoding.
std::string plain(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        auto const point = next_point(text, at);
        if (point >= 0x80)
            out += fmt::format("\\[u{:04X}]", point);
        else if (point == '\\')
            out += "\\e";
        else if (point == '-')
            out += "\\-";
        else
            out.push_back(point == '\n' ? ' ' : char(point));
    }
    return out;
}

// The same as a line of its own: a dot or quote in front would be a request.
std::string line(std::string_view text) {
    if (text.empty()) return "";
    return (text[0] == '.' || text[0] == '\'' ? "\\&" : "") + plain(text) + "\n";
}

bool is_setting(CLI::Option const& option) { return option.get_group().starts_with('['); }

std::string names_of(CLI::Option const& option) {
    std::string out;
    auto add = [&](std::string_view dashes, std::string const& name) {
        out += fmt::format("{}\\fB{}{}\\fR", out.empty() ? "" : ", ", dashes, plain(name));
    };
    for (auto const& name : option.get_snames()) add("\\-", name);
    for (auto const& name : option.get_lnames()) add("\\-\\-", name);
    if (option.get_positional()) out = fmt::format("\\fI{}\\fR", plain(option.get_name(true)));
    if (!option.get_positional() && option.get_items_expected_max() > 0) out += fmt::format(" \\fI{}\\fR", plain(option.get_type_name()));
    return out;
}

std::string entry(CLI::Option const& option) {
    std::string about = option.get_description();
    if (!option.get_default_str().empty()) about += fmt::format(" [{}]", option.get_default_str());
    return fmt::format(".TP\n{}\n{}", names_of(option), line(about));
}

std::string synopsis(CLI::App& app, std::string const& path) {
    std::string out = fmt::format(".B {}\n", plain(path)), positionals;
    bool options = false;
    for (auto* option : app.get_options()) {
        if (!option->get_positional()) {
            options = options || option->get_lnames() != std::vector<std::string>{"help"};
            continue;
        }
        auto name = fmt::format("\\fI{}\\fR{}", plain(option->get_name(true)), option->get_items_expected_max() > 1 ? " ..." : "");
        positionals += option->get_required() ? fmt::format("{} ", name) : fmt::format("[{}] ", name);
    }
    if (options) out += "[\\fIOPTIONS\\fR]\n";
    if (!positionals.empty()) positionals.back() = '\n';
    return out + positionals;
}

std::vector<CLI::App*> shown_commands(CLI::App& app) {
    return app.get_subcommands([](CLI::App* sub) { return !sub->get_group().empty(); });  // those without a group are hidden
}

void append_command(CLI::App& app, std::string const& path, std::string& out) {
    auto const subs = shown_commands(app);
    if (subs.empty()) {
        out += fmt::format(".SS {}\n{}.PP\n{}", plain(path), synopsis(app, path), line(app.get_description()));
        bool settings = false;
        for (auto* option : app.get_options()) {
            if (is_setting(*option))
                settings = true;
            else if (option->get_lnames() != std::vector<std::string>{"help"})
                out += entry(*option);
        }
        if (settings) out += ".TP\n\\fB\\-\\-\\fISECTION\\fB.\\fISOME\\-NAME VALUE\\fR\nAny key of the configuration, see CONFIGURATION.\n";
    }
    for (auto* sub : subs) append_command(*sub, path + " " + sub->get_name(), out);
}

std::string configuration() {
    std::string out =
        ".SH CONFIGURATION\n"
        "A key \\fIsome_name\\fR in \\fI[section]\\fR of the TOML file named by \\fB\\-\\-config\\fR is also the flag\n"
        "\\fB\\-\\-section.some\\-name\\fR and the variable \\fBGANTRY_SECTION_SOME_NAME\\fR. A flag goes before a variable, before the "
        "file,\n"
        "before the default.\n";
    config::Config const config = declared_config();
    for (auto const& section : config.sections()) {
        out += fmt::format(".SS [{}]\n", plain(section.name));
        for (auto const& key : section.keys) {
            out += fmt::format(".TP\n\\fB{}\\fR, \\fB{}\\fR, \\fB{}\\fR\n{}", plain(key.name), plain(key.flag()), plain(key.variable()),
                               line(key.doc));
            out += line(fmt::format("({}{}{})", key.expected, key.fallback.empty() || key.secret ? "" : "; default ",
                                    key.secret ? "" : key.fallback));
        }
    }
    return out;
}

// The footer of the help: "Exit codes:" and lines of "  2  wrong usage".
std::string exit_status(std::string_view footer) {
    std::string out = ".SH EXIT STATUS\n";
    while (!footer.empty()) {
        auto const end = std::min(footer.find('\n'), footer.size());
        auto const row = footer.substr(0, end);
        footer.remove_prefix(std::min(end + 1, footer.size()));
        auto const number = row.find_first_not_of(' ');
        if (number == row.npos || row[number] < '0' || row[number] > '9') continue;
        auto const gap = row.find("  ", number);
        out += fmt::format(".TP\n.B {}\n{}", row.substr(number, gap - number), line(row.substr(row.find_first_not_of(' ', gap))));
    }
    return out;
}

}  // namespace

std::string man_page(CLI::App& app) {
    std::string out = fmt::format(
        ".TH GANTRY 1 \"\" \"Gantry {}\" \"User Commands\"\n.SH NAME\ngantry \\- small services for a software forge, in one program\n",
        plain(version()));
    out +=
        ".SH SYNOPSIS\n.B gantry\n\\fICOMMAND\\fR [\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]\n.SH DESCRIPTION\n" + line(app.get_description());
    out += "One program, one data directory. Each command explains itself with \\fB\\-\\-help\\fR.\n.SH COMMANDS\n";
    append_command(app, "gantry", out);
    return out.append(configuration()).append(environment).append(files).append(exit_status(app.get_footer())).append(examples);
}

}  // namespace gantry::app
