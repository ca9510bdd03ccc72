#include <fmt/format.h>
#include <poll.h>

#include <csignal>
#include <deque>
#include <memory>

#include "app/commands/log.h"
#include "app/commands/log_place.h"
#include "app/event_lines.h"
#include "app/log_reader.h"
#include "app/problems.h"
#include "app/terminal.h"

namespace gantry::app {
namespace {

struct CatOptions : LogOptions {
    std::string from, to;
    EventFilter filter;
    std::uint64_t limit = ~std::uint64_t{0};
    bool follow = false;
    std::uint64_t last = 10;
};

constexpr int follow_every_ms = 300;
volatile std::sig_atomic_t stopped = 0;

LineForm form_of(CatOptions const& o) { return o.json || !is_terminal(Stream::out) ? LineForm::json : LineForm::people; }

// Why reading stopped before the end: a torn tail of the newest segment is normal, damage elsewhere is not.
int stopped_at(LogReader const& reader, log::Damage const& damage, EventLines const& lines) {
    if (!reader.at_newest()) return complain(log::damaged(damage)), exit_data;
    complain(fmt::format("the last batch is torn or just being written ({} at offset {}); `gantry log verify` tells", damage.file,
                         damage.offset));
    return lines.unreadable() ? exit_partial : exit_ok;
}

int exit_after(EventLines const& lines) {
    if (!lines.unreadable()) return exit_ok;
    complain(fmt::format("{} events aren't what their schema says", lines.unreadable()));
    return exit_partial;
}

bool read_places(CatOptions& o) {
    for (auto [text, place] : {std::pair(&o.from, &o.filter.from), std::pair(&o.to, &o.filter.to)}) {
        if (text->empty()) continue;
        auto parsed = parse_log_place(*text);
        if (!parsed) return complain(parsed.error()), false;
        *place = *parsed;
    }
    return true;
}

int cat(CatOptions o) {
    if (!read_places(o)) return exit_usage;
    auto after = o.filter.from.position.value_or(1);
    auto reader = LogReader::open(log::system_disk(), o.directory(), after ? after - 1 : 0);
    if (!reader) return complain(reader.error()), exit_of(reader.error());
    EventLines lines(o.filter, form_of(o));
    std::uint64_t shown = 0;
    bool written = true;
    auto show = [&](std::string const& line) {
        if (shown == o.limit) return false;
        ++shown, written = print(line);
        return written && shown < o.limit;
    };
    auto stop = reader->advance([&](log::BatchView const& batch) { return o.limit > 0 && lines.batch(batch, show); });
    if (!stop) return complain(stop.error()), exit_of(stop.error());
    if (!written) return exit_failed;
    return *stop ? stopped_at(*reader, **stop, lines) : exit_after(lines);
}

int follow(LogReader& reader, EventLines& lines) {
    std::signal(SIGINT, [](int) { stopped = 1; });
    std::signal(SIGTERM, [](int) { stopped = 1; });
    while (!stopped) {
        bool written = true;
        auto stop = reader.advance(
            [&](log::BatchView const& b) { return lines.batch(b, [&](std::string const& l) { return written = print(l); }); });
        if (!stop) return complain(stop.error()), exit_of(stop.error());
        if (!written) return exit_failed;
        if (*stop && !reader.at_newest()) return stopped_at(reader, **stop, lines);
        ::poll(nullptr, 0, follow_every_ms);
    }
    return exit_after(lines);
}

int tail(CatOptions const& o) {
    auto& disk = log::system_disk();
    auto newest = LogReader::open(disk, o.directory(), ~log::Position{0} - 1);
    if (!newest) return complain(newest.error()), exit_of(newest.error());
    auto ended = newest->advance([](auto const&) { return true; });
    if (!ended) return complain(ended.error()), exit_of(ended.error());
    auto after = newest->end() > o.last ? newest->end() - o.last : 0;
    auto reader = LogReader::open(disk, o.directory(), after);
    if (!reader) return complain(reader.error()), exit_of(reader.error());
    EventFilter filter = o.filter;
    filter.from.position = after + 1;
    EventLines lines(filter, form_of(o));
    bool written = true;
    auto stop =
        reader->advance([&](log::BatchView const& b) { return lines.batch(b, [&](std::string const& l) { return written = print(l); }); });
    if (!stop) return complain(stop.error()), exit_of(stop.error());
    if (!written) return exit_failed;
    if (o.follow) return follow(*reader, lines);
    return *stop ? stopped_at(*reader, **stop, lines) : exit_after(lines);
}

void add_filter(CLI::App& command, CatOptions& o) {
    command.add_option("--type", o.filter.types, "Only events of this type; may be repeated.")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    command.add_flag("--all", o.filter.without_events, "Also what is no event: a writer's turn, a new history, a checkpoint.");
}

}  // namespace

void add_log_cat(CLI::App& log, Action& action) {
    auto* command = log.add_subcommand("cat", "Print a log's events, each by the schema it was written with.");
    auto o = std::make_shared<CatOptions>();
    add_log_options(*command, *o);
    command->add_option("--from", o->from, "First position, or earliest time.")->type_name("PLACE");
    command->add_option("--to", o->to, "Last position, or latest time.")->type_name("PLACE");
    command->add_option("--limit", o->limit, "Most events.")->type_name("N");
    add_filter(*command, *o);
    command->callback([&action, o] { action = [o] { return cat(*o); }; });
}

void add_log_tail(CLI::App& log, Action& action) {
    auto* command = log.add_subcommand("tail", "Print a log's last events.");
    auto o = std::make_shared<CatOptions>();
    add_log_options(*command, *o);
    command->add_option("-n,--last", o->last, "How many of the last events.")->capture_default_str();
    command->add_flag("-f,--follow", o->follow, "Go on as the log grows.");
    add_filter(*command, *o);
    command->callback([&action, o] { action = [o] { return tail(*o); }; });
}

}  // namespace gantry::app
