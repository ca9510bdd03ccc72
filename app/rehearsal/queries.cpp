#include "app/rehearsal/queries.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include "kernel/runtime/kernel_query.h"

namespace gantry::app::rehearsal {
namespace {

bool number(std::string_view text, log::Position& out) {
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size();
}

Result<Query> parse_line(std::string_view line) {
    auto const wrong = [](std::string detail) { return fail(400, "rehearsal_query_malformed", detail); };
    if (!line.starts_with('/')) return wrong(fmt::format("expected a path like /service/v1/…, found \"{}\"", line));
    if (std::ranges::any_of(line, [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; }))
        return wrong("expected a path alone, and as it goes over the wire: blanks are %20");
    auto const cut = std::min(line.find('?'), line.size());
    auto split = runtime::split_query(line.substr(std::min(cut + 1, line.size())));
    if (!split) return wrong(fmt::format("{}: {}", split.error().faults.front().pointer, split.error().faults.front().detail));
    if (!split->live.empty()) return wrong("a rehearsal asks once: leave `live` out");
    return Query{std::string(line.substr(0, cut)) + (split->rest.empty() ? "" : "?" + split->rest), split->as_of};
}

// What was asked for in a line of an access log: "GET /a/v1/b HTTP/1.1" stands in quotes in it, in the common forms (NCSA's, nginx's,
// HAProxy's). Empty for another method; nothing when the line is of no such log.
std::optional<std::string_view> logged_get(std::string_view line) {
    auto const end = line.find(" HTTP/");
    auto const begin = line.substr(0, end).rfind('"');
    if (end == line.npos || begin == line.npos) return std::nullopt;
    auto const request = line.substr(begin + 1, end - begin - 1);
    return request.starts_with("GET ") ? request.substr(4) : std::string_view();
}

// What was asked for wrongly, or live, is passed over; so is the moment, which was one of another log.
void add_logged(std::string_view target, std::set<std::string>& seen, std::vector<Query>& out) {
    auto query = parse_line(target);
    if (!query) return;
    query->as_of.clear();
    if (seen.insert(query->target).second) out.push_back(std::move(*query));
}

}  // namespace

Result<std::vector<Query>> parse_queries(std::string_view text) {
    std::vector<Query> out;
    std::set<std::string> logged;
    Problem problem{400, "rehearsal_queries_malformed", "the list of queries has lines that are none"};
    for (int line_number = 1; !text.empty(); ++line_number) {
        auto const end = std::min(text.find('\n'), text.size());
        auto line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
        if (line.empty() || line.front() == '#') continue;
        if (auto const target = logged_get(line)) {
            add_logged(*target, logged, out);
            continue;
        }
        auto query = parse_line(line);
        query ? out.push_back(std::move(*query)) : problem.faults.push_back({std::to_string(line_number), query.error().detail});
    }
    if (!problem.faults.empty()) return std::unexpected(std::move(problem));
    return out;
}

Result<log::Position> position_of(std::string_view as_of, log::Log const& log) {
    auto const status = log.status();
    if (as_of.empty()) return status.durable;
    log::Position position = 0;
    auto const dot = as_of.find('.');
    bool known = number(as_of, position);
    if (auto incarnation = dot == as_of.npos ? std::nullopt : log::parse_incarnation(as_of.substr(0, dot));
        incarnation && number(as_of.substr(dot + 1), position)) {
        known = true;
        if (*incarnation != status.incarnation)
            return fail(410, "position_gone",
                        fmt::format("as_of {} speaks of another history of this log, which is {}", as_of,
                                    log::incarnation_text(status.incarnation)));
    }
    if (!known) {
        auto const time = parse_time(as_of);
        if (!time) return fail(400, "rehearsal_query_malformed", fmt::format("as_of {}: expected a position or an RFC 3339 time", as_of));
        return log.last_at(*time);
    }
    if (position > status.durable)
        return fail(400, "as_of_ahead", fmt::format("as_of {} is ahead of this log, which ends at {}", as_of, status.durable));
    return position;
}

}  // namespace gantry::app::rehearsal
