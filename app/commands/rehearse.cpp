#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "app/commands/commands.h"
#include "app/event_lines.h"
#include "app/exit_codes.h"
#include "app/host.h"
#include "app/problems.h"
#include "app/rehearsal/compare.h"
#include "app/rehearsal/partner.h"
#include "app/rehearsal/place.h"
#include "app/rehearsal/queries.h"
#include "app/terminal.h"

namespace gantry::app {
namespace {

struct RehearseOptions {
    rehearsal::Wanted wanted;
    std::string with, queries;
    std::uint64_t every = 0;
    bool json = false;
};

int failed(Problem const& problem) {
    complain(problem);
    bool const usage = problem.status == 400 && (problem.code.starts_with("rehearsal_") || problem.code == "service_unknown");
    return usage ? exit_usage : exit_of(problem);
}

Result<std::string> own_binary() {
    std::error_code error;
    auto path = std::filesystem::read_symlink("/proc/self/exe", error);
    if (error) return fail(500, "rehearsal_failed", fmt::format("/proc/self/exe: {}", error.message()));
    return path.string();
}

Result<std::vector<rehearsal::Question>> questions_of(std::string const& file, log::Log const& log) {
    TRY_ASSIGN(auto text, log::read_file(log::system_disk(), file));
    auto queries = rehearsal::parse_queries(text);
    if (!queries) {
        for (auto& fault : queries.error().faults) fault.pointer = file + ":" + fault.pointer;
        return std::unexpected(std::move(queries.error()));
    }
    std::vector<rehearsal::Question> out;
    for (auto& query : *queries) {
        auto position = rehearsal::position_of(query.as_of, log);
        if (!position) {
            Problem problem{400, "rehearsal_queries_malformed", fmt::format("{}: {}: {}", file, query.target, position.error().detail)};
            return std::unexpected(std::move(problem));
        }
        out.push_back({std::move(query.target), *position});
    }
    return out;
}

// What `gantry log cat` prints of it.
std::string event_at(log::Log const& log, std::uint64_t position) {
    EventFilter filter;
    filter.from.position = filter.to.position = position;
    EventLines lines(filter, LineForm::json);
    std::string out;
    auto found =
        log.find(position, [&](log::BatchView const& batch) { return lines.batch(batch, [&](auto const& l) { return out = l, true; }); });
    if (!found || out.empty()) return "null";
    out.pop_back();
    return out;
}

Result<rehearsal::Comparison> rehearse(RehearseOptions const& o) {
    TRY_ASSIGN(auto place, rehearsal::find_log(o.wanted, service_names()));
    TRY_ASSIGN(auto log, log::StillLog::open(log::system_disk(), place.at.log_directory));
    if (log->torn())
        complain(
            fmt::format("the last batch is torn or just being written: rehearsed is what comes before ({} events)", log->status().end));
    rehearsal::Plan plan{{}, o.every};
    if (!o.queries.empty()) {
        TRY_ASSIGN(plan.queries, questions_of(o.queries, *log));
    }
    TRY_ASSIGN(auto own, own_binary());
    auto start = [&](std::string_view who, std::string const& binary) {
        auto side = rehearsal::Partner::start(binary, place.service, place.at);
        if (!side) side.error().detail = fmt::format("{} binary: {}", who, side.error().detail);
        return side;
    };
    TRY_ASSIGN(auto old_side, start("old", own));
    TRY_ASSIGN(auto new_side, start("new", o.with));
    if (o.queries.empty())
        for (auto const& read : old_side->hello().reads)
            plan.queries.push_back({read, std::min(old_side->hello().events, new_side->hello().events)});
    TRY_ASSIGN(auto out, rehearsal::compare(*old_side, *new_side, std::move(plan)));
    if (out.parting && out.parting->position > 0) out.parting->event = codec::RawJson{event_at(*log, out.parting->position)};
    return out;
}

std::string ms(double value) { return value < 10 ? fmt::format("{:.1f} ms", value) : fmt::format("{:.0f} ms", value); }

std::string efforts(rehearsal::Comparison const& c) {
    std::vector<std::vector<std::string>> rows;
    for (auto [name, e] : {std::pair("old", &c.old_binary), std::pair("new", &c.new_binary)})
        rows.push_back({name, e->version, fmt::format("{}", e->folded), ms(e->fold_ms), ms(e->digest_ms), ms(e->query_ms),
                        format_bytes(e->state_bytes), format_bytes(e->peak_bytes)});
    return table({"BINARY", "VERSION", "FOLDED", "FOLDING", "DIGESTS", "QUERIES", "STATE", "MOST MEMORY"}, rows);
}

// The places where two bodies begin to differ, with a little before.
std::pair<std::string, std::string> excerpts(std::string_view a, std::string_view b) {
    constexpr std::size_t before = 40, length = 160;
    auto const at = std::size_t(std::ranges::mismatch(a, b).in1 - a.begin());
    auto const boundary = [](std::string_view text, std::size_t i) {
        while (i > 0 && i < text.size() && (static_cast<unsigned char>(text[i]) & 0xc0) == 0x80) --i;
        return std::min(i, text.size());
    };
    auto const from = boundary(a, at > before ? at - before : 0);
    auto const cut = [&](std::string_view text) {
        auto const end = boundary(text, from + length);
        return fmt::format("{}{}{}", from > 0 ? "…" : "", text.substr(std::min(from, text.size()), end - std::min(from, end)),
                           end < text.size() ? "…" : "");
    };
    return {cut(a), cut(b)};
}

std::string report(rehearsal::Comparison const& c) {
    auto const differs = styled(Stream::out, Style::red, "differs:");
    std::string out = fmt::format("{}, history {}, events {} to {}\n{}", c.service, c.incarnation, c.from + 1, c.events, efforts(c));
    if (c.shape_changed)
        out += "state: its shape changed, so that digests can't be compared; the answers are\n";
    else if (!c.parting)
        out += fmt::format("state: the same at {} positions\n", c.digests);
    else
        out += fmt::format("{} the state, first after event {} (digests {} and {})\n  {}\n", differs, c.parting->position,
                           c.parting->old_digest, c.parting->new_digest,
                           c.parting->event ? c.parting->event->text : "already the baseline that the log begins with");
    for (auto const& a : c.answers) {
        auto const [was, is] = excerpts(a.old_body, a.new_body);
        out += fmt::format("{} {} as of {}\n  old {} {}\n  new {} {}\n", differs, a.query, a.as_of, a.old_status, was, a.new_status, is);
    }
    out += fmt::format("answers: {} of {} the same\n", c.queries - c.answers.size(), c.queries);
    return out + (c.same ? styled(Stream::out, Style::green, "same") : styled(Stream::out, Style::red, "different")) + "\n";
}

int run_rehearsal(RehearseOptions const& o) {
    auto compared = rehearse(o);
    if (!compared) return failed(compared.error());
    if (!print(o.json ? codec::to_json(*compared) + "\n" : report(*compared))) return exit_failed;
    return compared->same ? exit_ok : exit_failed;
}

}  // namespace

void add_rehearse(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("rehearse", "Replay a log in this binary and in a new one, and compare states and answers.");
    auto o = std::make_shared<RehearseOptions>();
    command
        ->add_option("--log", o->wanted.log,
                     "A data directory, the directory of one log, a file of log export, or the URL of a server; only read.")
        ->type_name("PATH")
        ->required();
    command->add_option("--with", o->with, "The new gantry.")->type_name("BINARY")->required();
    command->add_option("--service", o->wanted.service, "Whose log, when there are several.");
    command->add_option("--site", o->wanted.site, "Site.")->capture_default_str();
    command
        ->add_option("--queries", o->queries,
                     "Paths to compare the answers of, one a line, as_of in it or not; or an access log. Default: every list and summary.")
        ->type_name("FILE");
    command->add_option("--every", o->every, "Events between two compared digests. Default: a sixteenth of the log.")->type_name("N");
    command->add_flag("--json", o->json, "One JSON object, with every answer that differs in whole.");
    command->callback([&action, o] { action = [o] { return run_rehearsal(*o); }; });
}

}  // namespace gantry::app
