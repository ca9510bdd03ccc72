#include "kernel/runtime/why.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "kernel/base/varint.h"
#include "kernel/codec/schema_json.h"

namespace gantry::runtime {
namespace {

constexpr std::size_t steps_max = 200, types_max = 20;
constexpr std::uint64_t batches_max = 2'000'000;              // that one search looks at
constexpr Duration recorded_within = Duration::seconds(600);  // after its id was made
constexpr std::uint32_t depth_max = 32;

// When an id of ours was made (fresh_id); nothing for another's.
std::optional<Time> made_at(std::string_view id) {
    static constexpr std::string_view alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
    if (id.size() != 22 || id[1] != '_') return {};
    std::int64_t ms = 0;
    for (char c : id.substr(2, 10)) {
        auto const digit = alphabet.find(c);
        if (digit == alphabet.npos) return {};
        ms = ms << 5 | std::int64_t(digit);
    }
    return Time{ms * 1000};
}

std::string hex(std::string_view bytes) {
    std::string out;
    for (unsigned char c : bytes) fmt::format_to(std::back_inserter(out), "{:02x}", c);
    return out;
}

class Search {
   public:
    Search(WhyParts const& parts, std::string_view asked) : parts_(parts) { told_.asked = asked; }

    Result<WhyTold> run() {
        auto const& asked = told_.asked;
        if (asked.starts_with("oops_") || asked.starts_with("OOPS-")) {
            TRY_VOID(by_report());
        } else if (auto place = place_of(asked)) {
            TRY_VOID(by_position(*place->first, place->second));
        } else {
            TRY_VOID(by_request(asked));
        }
        if (told_.steps.empty() && !told_.report && told_.traces.empty())
            return fail(404, "why_unknown",
                        "nothing is kept about this: expected the id of a request that recorded something or of which a trace is kept, a "
                        "trace's, a "
                        "report's, or a position");
        return std::move(told_);
    }

   private:
    using Place = std::pair<Host*, Position>;

    std::optional<Place> place_of(std::string_view text) const {
        auto const equals = text.find('=');
        auto const dot = text.find('.');
        if (dot == text.npos) return {};
        auto const service = equals == text.npos ? std::string_view() : text.substr(0, equals);
        auto const from = equals == text.npos ? 0 : equals + 1;
        Position position = 0;
        auto const [end, error] = std::from_chars(text.data() + dot + 1, text.data() + text.size(), position);
        if (error != std::errc() || end != text.data() + text.size() || position == 0 || dot < from) return {};
        for (auto* host : parts_.hosts)
            if (host->incarnation() == text.substr(from, dot - from) && (service.empty() || host->decl().name == service))
                return Place(host, position);
        return {};
    }
    Host* host_named(std::string_view name) const {
        auto const found = std::ranges::find_if(parts_.hosts, [&](Host* h) { return h->decl().name == name; });
        return found == parts_.hosts.end() ? nullptr : *found;
    }

    Result<void> by_report() {
        auto report = parts_.report ? parts_.report(told_.asked) : std::nullopt;
        if (!report) return {};
        auto const at = report->find("\"request_id\":\"");
        std::string request_id;
        if (at != report->npos) request_id = report->substr(at + 14, report->find('"', at + 14) - at - 14);
        told_.report = codec::RawJson{std::move(*report)};
        return request_id.empty() ? Result<void>() : by_request(request_id);
    }

    Result<void> by_request(std::string const& id) {
        if (id.empty()) return {};
        add_traces(id);
        auto const trace = observe::parse_trace_id(id);
        std::string const trace_bytes = trace ? std::string(trace->bytes().data(), 16) : std::string();
        auto const made = made_at(id);
        for (auto* host : parts_.hosts) {
            if (!host->ready()) continue;
            Position after = 0;
            if (made) {
                TRY_ASSIGN(after, host->log().last_at(*made - Duration::seconds(2)));
            }
            std::vector<Position> found;
            TRY_VOID(host->log().scan(after, [&](log::BatchView const& batch) {
                if (made && batch.time > *made + recorded_within) return false;
                if (++looked_at_ > batches_max) return told_.complete = false, false;
                bool const is = batch.request_id == id || (!trace_bytes.empty() && batch.trace_id == trace_bytes);
                if (is && batch.count > 0) found.push_back(batch.first);
                return found.size() < steps_max;
            }));
            for (auto position : found) TRY_VOID(by_position(*host, position));
        }
        return {};
    }

    void add_traces(std::string const& id) {
        if (!parts_.traces) return;
        std::vector<observe::KeptTracePtr> kept;
        if (auto const trace = observe::parse_trace_id(id)) kept = parts_.traces->of_trace(*trace);
        if (auto one = parts_.traces->of_request(id); one && kept.empty()) kept.push_back(std::move(one));
        for (auto const& trace : kept) {
            if (!parts_.site.empty() && trace->site != parts_.site) continue;
            std::string json;
            observe::append_trace_json(json, *trace);
            told_.traces.push_back(codec::RawJson{std::move(json)});
        }
    }

    // Up to what began it, then down to all that came of that.
    Result<void> by_position(Host& host, Position position) {
        Host* at = &host;
        Position root = position;
        asked_.insert({at, position});
        for (std::uint32_t up = 0; up < depth_max; ++up) {
            std::optional<WhyCause> cause;
            TRY_VOID(at->log().find(root, [&](log::BatchView const& batch) {
                if (batch.cause) cause = WhyCause{std::string(batch.cause->log), batch.cause->position};
                return false;
            }));
            auto* source = cause ? host_named(cause->service) : nullptr;
            if (!source || !source->log().find(cause->position, [](auto const&) { return false; })) break;  // elsewhere, or cut
            at = source, root = cause->position;
        }
        return tell(*at, root, 0);
    }

    Result<void> tell(Host& host, Position position, std::uint32_t depth) {
        if (told_.steps.size() >= steps_max || depth > depth_max) return told_.complete = false, Result<void>();
        WhyStep step;
        Position first = 0, last = 0;
        TRY_VOID(host.log().find(position, [&](log::BatchView const& batch) {
            step = step_of(host, batch), first = batch.first, last = batch.last();
            return false;
        }));
        if (!known_.insert({&host, first}).second) return {};
        step.depth = depth;
        step.asked = std::ranges::any_of(asked_, [&](Place const& p) { return p.first == &host && p.second >= first && p.second <= last; });
        auto const time = step.time;
        told_.steps.push_back(std::move(step));
        for (auto* other : parts_.hosts) {
            if (!other->ready()) continue;
            auto const of_host = [&](FollowDecl const& f) { return f.source == host.decl().name; };
            bool const follows = std::ranges::any_of(other->decl().followers, of_host);
            bool const effects = other == &host && host.decl().outbox;
            if (!follows && !effects) continue;
            TRY_ASSIGN(auto const brought, brought_about(*other, host.decl().name, first, last, time));
            for (auto p : brought) TRY_VOID(tell(*other, p, depth + 1));
        }
        return {};
    }

    // First positions of the batches of `host` that name one of the events as their cause, or hold what a follower made of several.
    Result<std::vector<Position>> brought_about(Host& host, std::string_view source, Position first, Position last, Time since) {
        std::vector<Position> found;
        TRY_ASSIGN(auto const after, host.log().last_at(since - Duration::seconds(1)));
        TRY_VOID(host.log().scan(after, [&](log::BatchView const& batch) {
            if (++looked_at_ > batches_max) return told_.complete = false, false;
            bool const named = batch.cause && batch.cause->log == source && batch.cause->position >= first && batch.cause->position <= last;
            if (named && batch.count > 0) found.push_back(batch.first);
            for (auto const& cursor : batch.cursors)
                if (cursor.source == source && cursor.position >= last) {
                    if (!named && !batch.cause && batch.count > 0) found.push_back(batch.first);
                    return false;  // it goes in order: what comes behind is of later events
                }
            return found.size() < steps_max;
        }));
        return found;
    }

    WhyStep step_of(Host& host, log::BatchView const& batch) {
        WhyStep step;
        step.service = host.decl().name, step.position = host.position_text(batch.last()), step.time = batch.time;
        step.caller = batch.caller, step.request_id = batch.request_id, step.trace_id = hex(batch.trace_id);
        if (batch.cause) step.cause = WhyCause{std::string(batch.cause->log), batch.cause->position};
        bool const own = batch.cause && batch.cause->log == host.decl().name;
        step.kind = own ? "effect" : batch.cause || !batch.cursors.empty() ? "follower" : batch.caller == "gantry" ? "timer" : "command";
        step.events_total = batch.count;
        auto printer = codec::EventPrinter::make(batch.schemas);
        ByteReader in(batch.events);
        for (std::uint32_t i = 0; i < batch.count && i < types_max; ++i) {
            auto const number = std::uint32_t(in.varint());
            in.string();
            step.events.emplace_back(printer ? printer->name(number) : std::string_view());
        }
        return step;
    }

    WhyParts const& parts_;
    WhyTold told_;
    std::set<Place> known_, asked_;
    std::uint64_t looked_at_ = 0;
};

}  // namespace

Result<WhyTold> why(WhyParts const& parts, std::string_view asked) { return Search(parts, asked).run(); }

}  // namespace gantry::runtime
