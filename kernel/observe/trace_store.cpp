#include "kernel/observe/trace_store.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "kernel/base/assert.h"

namespace gantry::observe {
namespace {

constexpr std::uint64_t share_range = std::uint64_t(1) << 56;  // the part of an id that level 2 of Trace Context calls random

// The same bytes in `to`, when the text lies in `from`; a literal is itself.
std::string_view moved(std::string_view text, std::string_view from, std::string const& to) {
    std::less_equal<char const*> const before;
    bool const inside = !from.empty() && before(from.data(), text.data()) && before(text.data() + text.size(), from.data() + from.size());
    return inside ? std::string_view(to).substr(std::size_t(text.data() - from.data()), text.size()) : text;
}

bool is_sample(KeptTracePtr const& t) { return t->because == KeptBecause::sampled || t->because == KeptBecause::share; }

bool fits(KeptTrace const& t, TraceFilter const& f) {
    auto text = [](std::string_view wanted, std::string const& is) { return wanted.empty() || wanted == is; };
    return text(f.site, t.site) && text(f.service, t.service) && text(f.route, t.route) && (!f.because || *f.because == t.because) &&
           t.status >= f.status_min && t.duration_ns >= f.at_least.us * 1000 && (!f.before || t.began < *f.before);
}

}  // namespace

std::string_view name_of(KeptBecause because) {
    static constexpr std::string_view names[] = {"failed", "slow", "sampled", "share"};
    return names[std::size_t(because)];
}

KeptTrace::KeptTrace(RequestTrace const& trace, TraceOutcome const& outcome, KeptBecause why)
    : id(trace.id()),
      sampled(trace.sampled()),
      random(trace.context().random),
      began(trace.wall()),
      duration_ns(trace.duration_ns()),
      status(outcome.status),
      because(why),
      request_id(outcome.request_id),
      site(outcome.site),
      service(outcome.service),
      method(outcome.method),
      route(outcome.route),
      spans(trace.spans().begin(), trace.spans().end()),
      links(trace.links().begin(), trace.links().end()),
      dropped_spans(trace.dropped_spans()),
      dropped_attributes(trace.dropped_attributes()),
      text(trace.text()) {
    auto own = [&](std::string_view& view) { view = moved(view, trace.text(), text); };
    for (auto& span : spans) {
        own(span.name);
        for (std::size_t i = 0; i < span.attribute_count; ++i) {
            own(span.attributes[i].key);
            if (auto* value = std::get_if<std::string_view>(&span.attributes[i].value)) own(*value);
        }
    }
    if (status >= 500) spans[0].status = SpanStatus::error;
}

std::size_t KeptTrace::size_bytes() const {
    return sizeof(KeptTrace) + spans.capacity() * sizeof(Span) + links.capacity() * sizeof(TraceContext) + text.capacity() +
           request_id.capacity() + site.capacity() + service.capacity() + method.capacity() + route.capacity();
}

void TraceStore::set_rules(TraceRules const& rules) {
    double const share = std::isnan(rules.share) ? 0 : std::clamp(rules.share, 0.0, 1.0);
    slow_after_ns_.store(rules.slow_after.us * 1000, std::memory_order_relaxed);
    share_below_.store(std::uint64_t(share * double(share_range)), std::memory_order_relaxed);
    std::lock_guard lock(mutex_);
    traces_max_ = rules.traces_max, bytes_max_ = rules.bytes_max;
    drop_beyond_limits();
}

bool TraceStore::samples(TraceId id) const { return id.low % share_range < share_below_.load(std::memory_order_relaxed); }

std::optional<KeptBecause> TraceStore::wanted(RequestTrace const& trace, int status) const {
    if (status >= 500) return KeptBecause::failed;
    if (trace.duration_ns() >= slow_after_ns_.load(std::memory_order_relaxed)) return KeptBecause::slow;
    if (samples(trace.id())) return KeptBecause::share;
    if (trace.sampled()) return KeptBecause::sampled;
    return std::nullopt;
}

KeptTracePtr TraceStore::offer(RequestTrace const& trace, TraceOutcome const& outcome) {
    GANTRY_ASSERT(trace.duration_ns() >= 0, "a trace is offered after its end");
    auto const because = wanted(trace, outcome.status);
    if (!because) return nullptr;
    auto kept = std::make_shared<KeptTrace const>(trace, outcome, *because);
    kept_.fetch_add(1, std::memory_order_relaxed);
    std::lock_guard lock(mutex_);
    bytes_ += kept->size_bytes(), samples_ += is_sample(kept);
    traces_.push_back(kept);
    drop_beyond_limits();
    return kept;
}

// The oldest go; where more than half are samples, the oldest sample.
void TraceStore::drop_beyond_limits() {
    while (!traces_.empty() && (traces_.size() > traces_max_ || bytes_ > bytes_max_)) {
        auto const oldest = 2 * samples_ > traces_.size() ? std::ranges::find_if(traces_, is_sample) : traces_.begin();
        bytes_ -= (*oldest)->size_bytes(), samples_ -= is_sample(*oldest);
        traces_.erase(oldest);
    }
}

std::vector<KeptTracePtr> TraceStore::of_trace(TraceId id) const {
    std::vector<KeptTracePtr> out;
    std::lock_guard lock(mutex_);
    std::ranges::copy_if(traces_, std::back_inserter(out), [&](KeptTracePtr const& t) { return t->id == id; });
    return out;
}

KeptTracePtr TraceStore::of_request(std::string_view request_id) const {
    std::lock_guard lock(mutex_);
    auto const found = std::find_if(traces_.rbegin(), traces_.rend(), [&](KeptTracePtr const& t) { return t->request_id == request_id; });
    return found == traces_.rend() ? nullptr : *found;
}

std::vector<KeptTracePtr> TraceStore::newest(TraceFilter const& filter, std::size_t limit) const {
    std::vector<KeptTracePtr> out;
    std::lock_guard lock(mutex_);
    for (auto t = traces_.rbegin(); t != traces_.rend() && out.size() < limit; ++t)
        if (fits(**t, filter)) out.push_back(*t);
    return out;
}

std::size_t TraceStore::count() const {
    std::lock_guard lock(mutex_);
    return traces_.size();
}

std::size_t TraceStore::size_bytes() const {
    std::lock_guard lock(mutex_);
    return bytes_;
}

}  // namespace gantry::observe
