#include "app/import/chunks.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "app/import/json_reply.h"

namespace gantry::import {
namespace {

constexpr int elsewhere_in_a_row_max = 10;

bool try_again(int status) { return status == 0 || status == 429 || status == 502 || status == 503 || status == 504; }

std::string said(Answer const& answer) {
    if (answer.status == 0) return answer.body;
    std::string const detail = json_text(answer.body, "detail").value_or("");
    return fmt::format("HTTP {} {}{}{}", answer.status, json_text(answer.body, "code").value_or(""), detail.empty() ? "" : ": ", detail);
}

std::unexpected<Problem> refused(std::string_view what, Answer const& answer) {
    return fail(502, "tracker_refused", fmt::format("{}: {}", what, said(answer)));
}

// "/reports/17/version" → 17
std::optional<std::size_t> report_index(std::string_view pointer) {
    constexpr std::string_view prefix = "/reports/";
    if (!pointer.starts_with(prefix)) return {};
    std::size_t index = 0;
    auto const rest = pointer.substr(prefix.size());
    if (std::from_chars(rest.data(), rest.data() + rest.size(), index).ec != std::errc{}) return {};
    return index;
}

}  // namespace

ChunkSender::ChunkSender(Transport& transport, SendOptions options, Progress& progress, Complaints& complaints, Clock const& clock)
    : transport_(transport),
      options_(std::move(options)),
      progress_(progress),
      complaints_(complaints),
      clock_(clock),
      path_("/tracker/v1/imports/" + options_.import_name) {}

// Repeats a call while nothing or "try again" is answered, with growing pauses, until it is time to give up.
Result<Answer> ChunkSender::persist(std::function<Answer()> const& call) {
    std::int64_t const start_ns = clock_.steady_ns();
    for (Duration wait = options_.first_wait;; wait = std::min(options_.longest_wait, Duration{wait.us * 2})) {
        Answer answer = call();
        if (!try_again(answer.status)) return answer;
        Duration const pause = answer.retry_after.value_or(wait);
        bool const too_long = clock_.steady_ns() - start_ns + pause.us * 1000 > options_.give_up_after.us * 1000;
        if (too_long || options_.stopped())
            return fail(502, "tracker_unreachable", fmt::format("no answer from the tracker: {}", said(answer)));
        progress_.say(fmt::format("{}; trying again in {}", said(answer), format_duration(pause)));
        options_.sleep(pause);
    }
}

Result<std::string> ChunkSender::standing() {
    TRY_ASSIGN(Answer answer, persist([&] { return transport_.get(path_); }));
    if (answer.status == 404 && json_text(answer.body, "code") == "import_not_found") return std::string();
    if (answer.status != 200) return refused("asking where the import stands", answer);
    auto at = json_text(answer.body, "at");
    if (!at) return refused("asking where the import stands (no 'at' in the answer)", answer);
    return *at;
}

ChunkSender::Chunk ChunkSender::collect(ReportSource& source) {
    Chunk chunk;
    while (chunk.reports.size() < options_.limits.reports_max) {
        auto next = held_ ? std::exchange(held_, {}) : source.next();
        if (!next) break;
        std::string json = codec::to_json(next->report);
        if (!chunk.reports.empty() && chunk.bytes + json.size() + 1 > options_.limits.bytes_max) {
            held_ = std::move(next);
            break;
        }
        chunk.bytes += json.size() + 1, chunk.to = next->position;
        chunk.encoded.push_back(std::move(json)), chunk.reports.push_back(std::move(*next));
    }
    return chunk;
}

// The tracker names the reports that it can't take: they are complained of where they came from, the rest goes in. False: it named none.
bool ChunkSender::leave_out_refused(Chunk& chunk, std::string const& problem_json) {
    std::set<std::size_t, std::greater<>> bad;
    for (auto const& fault : json_faults(problem_json))
        if (auto index = report_index(fault.pointer); index && *index < chunk.reports.size() && bad.insert(*index).second) {
            auto const& one = chunk.reports[*index];
            complaints_.malformed(one.file, one.line, fmt::format("the tracker refused it: {}: {}", fault.pointer, fault.detail));
        }
    for (std::size_t index : bad) {
        chunk.reports.erase(chunk.reports.begin() + std::ptrdiff_t(index));
        chunk.encoded.erase(chunk.encoded.begin() + std::ptrdiff_t(index));
    }
    sent_->refused += bad.size();
    return !bad.empty();
}

Result<ChunkSender::Outcome> ChunkSender::post(Chunk& chunk, std::string const& from) {
    for (;;) {
        std::string body = R"({"from":)";
        codec::append_json_string(body, from);
        body += R"(,"to":)";
        codec::append_json_string(body, chunk.to);
        body += R"(,"reports":[)";
        body.append(fmt::format("{}", fmt::join(chunk.encoded, ","))).append("]}");
        TRY_ASSIGN(Answer answer, persist([&] { return transport_.post(path_ + "/chunks", body); }));
        if (answer.status >= 200 && answer.status < 300) return Outcome::taken;
        std::string const code = json_text(answer.body, "code").value_or("");
        if (answer.status == 409 && code == "import_elsewhere") return Outcome::elsewhere;
        if ((answer.status == 400 || answer.status == 422) && leave_out_refused(chunk, answer.body)) continue;
        return refused("sending reports", answer);
    }
}

// The import stands elsewhere than we thought: an answer was lost, or somebody else sends under its name.
Result<void> ChunkSender::settle(ReportSource& source, Chunk const& chunk, std::string& at) {
    TRY_ASSIGN(std::string now, standing());
    if (now == chunk.to) {  // our own chunk, whose answer was lost
        sent_->chunks += 1, sent_->reports += chunk.reports.size(), at = now;
        return {};
    }
    if (++elsewhere_in_a_row_ > elsewhere_in_a_row_max)
        return fail(409, "import_busy", fmt::format("another process sends under the name '{}': stop one of them", options_.import_name));
    at = now, held_.reset();
    return source.start_after(at);
}

Result<void> ChunkSender::run(ReportSource& source, Sent& sent) {
    sent_ = &sent;
    TRY_ASSIGN(std::string at, standing());
    sent.position = at;
    TRY_VOID(source.start_after(at));
    for (;;) {
        if (options_.stopped()) return sent.stopped = true, Result<void>{};
        Chunk chunk = collect(source);
        progress_.update(source.done(), source.total(), sent.reports);
        if (chunk.reports.empty()) {
            if (!source.wait_for_more()) break;
            continue;
        }
        TRY_ASSIGN(Outcome outcome, post(chunk, at));
        if (outcome == Outcome::elsewhere) {
            TRY_VOID(settle(source, chunk, at));
        } else {
            at = chunk.to, elsewhere_in_a_row_ = 0;
            sent.chunks += 1, sent.reports += chunk.reports.size();
        }
        sent.position = at;
        progress_.update(source.done(), source.total(), sent.reports);
    }
    return {};
}

}  // namespace gantry::import
