#include "kernel/observe/otlp_queue.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include "kernel/base/assert.h"
#include "kernel/base/record.h"
#include "kernel/base/text.h"
#include "kernel/codec/json.h"

namespace gantry::observe {
namespace {

bool worth_a_retry(int status) { return status == 0 || status == 429 || status == 502 || status == 503 || status == 504; }

// A 64-bit number may come as text or as a number.
struct PartialText {
    Str rejectedSpans;
};
RECORD(PartialText, rejectedSpans);
struct PartialNumber {
    std::int64_t rejectedSpans = 0;
};
RECORD(PartialNumber, rejectedSpans);
template <class Partial>
struct Success {
    Partial partialSuccess;
};
RECORD(Success<PartialText>, partialSuccess);
RECORD(Success<PartialNumber>, partialSuccess);

std::uint64_t rejected_of(std::string_view body) {
    codec::JsonLimits const lenient{.lenient = true};
    std::int64_t n = 0;
    if (auto const number = codec::from_json<Success<PartialNumber>>(body, lenient)) {
        n = number->partialSuccess.rejectedSpans;
    } else if (auto const text = codec::from_json<Success<PartialText>>(body, lenient)) {
        auto const digits = text->partialSuccess.rejectedSpans.view();
        std::from_chars(digits.data(), digits.data() + digits.size(), n);
    }
    return n > 0 ? std::uint64_t(n) : 0;
}

std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) {
    int n = 0;
    for (char c : text.substr(at, count)) {
        if (c < '0' || c > '9') return std::nullopt;
        n = n * 10 + (c - '0');
    }
    return n;
}

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::optional<Time> parse_http_date(std::string_view t) {
    static constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (t.size() != 29 || t[3] != ',' || t[4] != ' ' || t[7] != ' ' || t[11] != ' ' || t[16] != ' ' || t[19] != ':' || t[22] != ':' ||
        t.substr(25) != " GMT")
        return std::nullopt;
    auto const month = months.find(t.substr(8, 3));
    auto const day = digits(t, 5, 2), year = digits(t, 12, 4), hour = digits(t, 17, 2), minute = digits(t, 20, 2),
               second = digits(t, 23, 2);
    if (month == months.npos || month % 3 != 0 || !day || !year || !hour || !minute || !second) return std::nullopt;
    if (*day < 1 || *day > 31 || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
    return Time{seconds_from_civil(*year, unsigned(month / 3 + 1), unsigned(*day), *hour, *minute, *second) * 1'000'000};
}

}  // namespace

std::optional<Duration> parse_retry_after(std::string_view value, Time now) {
    while (value.starts_with(' ')) value.remove_prefix(1);
    while (value.ends_with(' ')) value.remove_suffix(1);
    if (value.empty()) return std::nullopt;
    if (value.size() <= 9)
        if (auto const seconds = digits(value, 0, value.size())) return Duration::seconds(*seconds);
    auto const date = parse_http_date(value);
    return date ? std::optional(std::max(*date - now, Duration())) : std::nullopt;
}

OtlpQueue::OtlpQueue(OtlpLimits const& limits, OtlpResource const& resource, Clock& clock, Random& random, Send send)
    : limits_(limits), head_(otlp_head(resource)), clock_(clock), send_(std::move(send)), random_(random) {}

void OtlpQueue::forget(Entry const& entry) { counts_.queued_spans -= entry.count, counts_.queued_bytes -= entry.spans.size(); }

void OtlpQueue::drop(Batch const& batch) {
    for (auto const& entry : batch.entries) forget(entry), counts_.dropped_spans += entry.count;
}

void OtlpQueue::add(KeptTrace const& trace) {
    Entry entry{.spans = {}, .count = trace.spans.size(), .added_ns = clock_.steady_ns()};
    append_otlp_spans(entry.spans, trace);
    std::lock_guard lock(mutex_);
    auto full = [&] {
        return counts_.queued_spans + entry.count > limits_.queue_spans_max ||
               counts_.queued_bytes + entry.spans.size() > limits_.queue_bytes_max;
    };
    while (full() && !waiting_.empty()) {
        auto const& oldest = waiting_.front();
        waiting_spans_ -= oldest.count, waiting_bytes_ -= oldest.spans.size();
        forget(oldest), counts_.dropped_spans += oldest.count;
        waiting_.pop_front();
    }
    if (full()) return void(counts_.dropped_spans += entry.count);  // all room is taken by what is being tried again
    counts_.queued_spans += entry.count, counts_.queued_bytes += entry.spans.size();
    waiting_spans_ += entry.count, waiting_bytes_ += entry.spans.size();
    waiting_.push_back(std::move(entry));
}

std::optional<std::int64_t> OtlpQueue::due_ns() const {
    if (in_flight_ || (again_.empty() && waiting_.empty())) return std::nullopt;
    if (!again_.empty() || waiting_spans_ >= limits_.batch_spans_max || waiting_bytes_ >= limits_.batch_bytes_max || hurried_)
        return not_before_ns_;
    return std::max(not_before_ns_, waiting_.front().added_ns + limits_.batch_after.us * 1000);
}

std::optional<Duration> OtlpQueue::wait() const {
    std::lock_guard lock(mutex_);
    auto const due = due_ns();
    if (!due) return std::nullopt;
    return Duration{std::max<std::int64_t>(0, (*due - clock_.steady_ns() + 999) / 1000)};
}

OtlpQueue::Batch OtlpQueue::next_batch() {
    Batch batch;
    if (!again_.empty()) {
        batch = std::move(again_.front());
        again_.pop_front();
        return batch;
    }
    std::size_t spans = 0, bytes = 0;
    while (!waiting_.empty()) {
        auto& entry = waiting_.front();
        spans += entry.count, bytes += entry.spans.size();
        if (!batch.entries.empty() && (spans > limits_.batch_spans_max || bytes > limits_.batch_bytes_max)) break;
        waiting_spans_ -= entry.count, waiting_bytes_ -= entry.spans.size();
        batch.entries.push_back(std::move(entry));
        waiting_.pop_front();
    }
    return batch;
}

std::string OtlpQueue::body_of(Batch const& batch) const {
    std::string body = head_;
    for (auto const& entry : batch.entries) {
        if (body.back() == '}') body += ',';
        body += entry.spans;
    }
    return body += otlp_tail;
}

void OtlpQueue::run() {
    std::string body;
    {
        std::lock_guard lock(mutex_);
        auto const due = due_ns();
        if (!due || clock_.steady_ns() < *due) return;
        in_flight_ = next_batch();
        ++in_flight_->tries, ++counts_.tries;
        body = body_of(*in_flight_);
    }
    send_(std::move(body));
}

void OtlpQueue::answered(OtlpReply const& reply) {
    bool const success = reply.status >= 200 && reply.status < 300;
    auto const rejected = success ? rejected_of(reply.body) : 0;
    std::lock_guard lock(mutex_);
    GANTRY_ASSERT(in_flight_, "an answer belongs to a send");
    auto batch = std::move(*in_flight_);
    in_flight_.reset();
    if (!success) ++counts_.failures;
    if (!success && worth_a_retry(reply.status)) return retry(std::move(batch), reply);
    if (reply.status == 413) return split(std::move(batch));
    if (!success) return drop(batch);
    std::uint64_t spans = 0;
    for (auto const& entry : batch.entries) forget(entry), spans += entry.count;
    counts_.rejected_spans += std::min(spans, rejected), counts_.sent_spans += spans - std::min(spans, rejected);
    not_before_ns_ = 0;
}

void OtlpQueue::retry(Batch batch, OtlpReply const& reply) {
    auto delay = limits_.retry_first.us;
    for (int i = 1; i < batch.tries && delay < limits_.retry_max.us; ++i) delay *= 2;
    delay = std::min(delay, limits_.retry_max.us);
    delay -= std::int64_t(random_.below(std::uint64_t(delay / 2 + 1)));
    if (auto const asked = parse_retry_after(reply.retry_after, clock_.wall()))
        delay = std::max(delay, std::min(*asked, limits_.retry_after_max).us);
    not_before_ns_ = hurried_ ? 0 : clock_.steady_ns() + delay * 1000;
    if (batch.tries >= limits_.tries_max || hurried_) return drop(batch);
    again_.push_front(std::move(batch));
}

// Too large for the collector: its halves are sent apart, and a trace that is too large alone is dropped.
void OtlpQueue::split(Batch batch) {
    if (batch.entries.size() <= 1) return drop(batch);
    auto const middle = batch.entries.begin() + std::ptrdiff_t(batch.entries.size() / 2);
    Batch first, second;
    first.entries.assign(std::make_move_iterator(batch.entries.begin()), std::make_move_iterator(middle));
    second.entries.assign(std::make_move_iterator(middle), std::make_move_iterator(batch.entries.end()));
    again_.push_front(std::move(second));
    again_.push_front(std::move(first));
}

void OtlpQueue::hurry() {
    std::lock_guard lock(mutex_);
    hurried_ = true, not_before_ns_ = 0;
}

OtlpCounts OtlpQueue::counts() const {
    std::lock_guard lock(mutex_);
    return counts_;
}

}  // namespace gantry::observe
