#include "services/oops/sentry_intake.h"

#include <fmt/format.h>

#include <algorithm>

namespace gantry::oops {
namespace {
using codec::JsonKind;
using codec::JsonTree;
using codec::JsonValue;

std::uint64_t count_of(JsonValue v) { return std::uint64_t(std::max<std::int64_t>(0, v.integer().value_or(0))); }
std::string word_of(JsonValue v) { return std::string(v.text().substr(0, 200)); }

class Intake {
   public:
    Intake(Envelope const& envelope, ReadOptions const& options, SentryIntake& out) : envelope_(envelope), options_(options), out_(out) {}

    Result<void> take(EnvelopeItem const& item) {
        auto const& type = item.type;
        if (type == "event" || type == "feedback") return report(read_sentry_event(item.payload, options_, envelope_.event_id));
        if (type == "user_report") return report(read_user_report(item.payload, options_));
        if (type == "raw_security") return csp(item);
        if (type == "attachment") return attachment(item);
        if (type == "session" || type == "sessions" || type == "client_report" || type == "check_in") return counted(item);
        out_.raw.push_back({type, item.content_type, item.item_count, item.payload});
        return {};
    }

   private:
    Result<void> report(Result<Report> read) {
        if (!read) return std::unexpected(std::move(read.error()));
        out_.reports.push_back(std::move(*read));
        return {};
    }
    Result<void> csp(EnvelopeItem const& item) {
        auto read = read_csp_report(item.payload, options_);
        if (read) read->id = ReportId(envelope_.event_id);
        return report(std::move(read));
    }
    Result<void> attachment(EnvelopeItem const& item) {
        auto const name = item.filename.empty() ? std::string("attachment") : item.filename.substr(0, 255);
        out_.attachments.push_back({name, item.content_type, item.attachment_type, item.payload});
        return {};
    }
    Result<void> counted(EnvelopeItem const& item) {
        TRY_ASSIGN(auto const tree, JsonTree::read(item.payload));
        auto const told = tree.root();
        if (!told.is(JsonKind::object))
            return fail(400, "event_invalid", fmt::format("expected an object, found {}", name_of(told.kind())));
        if (item.type == "session") return session(told);
        if (item.type == "sessions") return sessions(told);
        return item.type == "check_in" ? check_in(told) : client_report(told);
    }

    Result<void> session(JsonValue told) {
        auto& out = out_.sessions.emplace_back();
        auto const status = told["status"].text();
        bool const first = told["init"].boolean().value_or(false), error = count_of(told["errors"]) > 0;
        out.session = word_of(told["sid"]), out.started_at = sentry_time(told["started"]);
        out.release = word_of(told["attrs"]["release"]), out.environment = word_of(told["attrs"]["environment"]);
        out.started = first, out.ended = status != "ok";
        out.crashed = status == "crashed", out.abnormal = status == "abnormal";
        out.errored = error && !out.crashed && !out.abnormal;
        return {};
    }
    Result<void> sessions(JsonValue told) {
        auto const groups = told["aggregates"];
        if (!groups.is(JsonKind::list))
            return fail(400, "event_invalid", fmt::format("aggregates: expected a list, found {}", name_of(groups.kind())));
        for (auto group : groups) {
            auto& out = out_.sessions.emplace_back();
            out.release = word_of(told["attrs"]["release"]), out.environment = word_of(told["attrs"]["environment"]);
            out.started_at = sentry_time(group["started"]);
            out.errored = count_of(group["errored"]), out.crashed = count_of(group["crashed"]), out.abnormal = count_of(group["abnormal"]);
            out.started = out.ended = count_of(group["exited"]) + out.errored + out.crashed + out.abnormal;
        }
        return {};
    }
    Result<void> client_report(JsonValue told) {
        for (auto one : told["discarded_events"]) {
            if (out_.dropped.size() == dropped_max) break;
            out_.dropped.push_back({word_of(one["reason"]), word_of(one["category"]), count_of(one["quantity"])});
        }
        return {};
    }
    Result<void> check_in(JsonValue told) {
        CheckIn out{word_of(told["check_in_id"]), word_of(told["monitor_slug"]), word_of(told["status"]), word_of(told["environment"]),
                    told["duration"].number()};
        if (out.monitor.empty()) return fail(400, "event_invalid", "monitor_slug: expected a name, found nothing");
        out_.check_ins.push_back(std::move(out));
        return {};
    }

    static constexpr std::size_t dropped_max = 100;
    Envelope const& envelope_;
    ReadOptions const& options_;
    SentryIntake& out_;
};

}  // namespace

SentryIntake read_items(Envelope const& envelope, ReadOptions const& options) {
    SentryIntake out;
    out.event_id = envelope.event_id, out.sent_at = envelope.sent_at;
    Intake intake(envelope, options, out);
    for (std::size_t i = 0; i < envelope.items.size(); ++i) {
        auto const& item = envelope.items[i];
        auto taken = intake.take(item);
        if (taken) continue;
        taken.error().detail = fmt::format("item {} ({}): {}", i + 1, item.type, taken.error().detail);
        out.refused.push_back(std::move(taken.error()));
    }
    if (out.event_id.empty() && !out.reports.empty()) out.event_id = out.reports.front().id.str();
    return out;
}

}  // namespace gantry::oops
