#include "kernel/observe/log_queue.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <utility>

namespace gantry::observe {
namespace {

constexpr std::size_t text_bytes_max = 8 << 10, fields_max = 255, name_bytes_max = 255;
constexpr std::string_view cut_mark = "…";
constexpr auto crash_patience = std::chrono::milliseconds(200);
thread_local char this_thread = 0;  // its address names the thread

// An entry in memory: the head, module, message, then each field: kind, length of the name, name, and a number or a length and a text.
struct Head {
    std::uint32_t size;
    Level level;
    std::uint8_t fields, module_bytes;
    std::uint16_t message_bytes;
    std::int64_t time_us;
};
static_assert(std::is_trivially_copyable_v<Head>);

std::size_t kept_bytes(std::string_view text, std::size_t limit) {
    if (text.size() <= limit) return text.size();
    while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xc0) == 0x80) --limit;
    return limit;
}
std::size_t text_size(std::string_view text) {
    return text.size() <= text_bytes_max ? text.size() : kept_bytes(text, text_bytes_max) + cut_mark.size();
}
std::size_t value_size(LogField::Value const& value) {
    auto* text = std::get_if<std::string_view>(&value);
    return text ? sizeof(std::uint16_t) + text_size(*text) : sizeof(std::uint64_t);
}

class Writer {
   public:
    explicit Writer(char* to) : to_(to) {}
    template <class T>
    void raw(T value) {
        std::memcpy(to_, &value, sizeof(value));
        to_ += sizeof(value);
    }
    void bytes(std::string_view text) { to_ = std::ranges::copy(text, to_).out; }
    void text(std::string_view text) {
        if (text.size() <= text_bytes_max) return bytes(text);
        bytes(text.substr(0, kept_bytes(text, text_bytes_max)));
        bytes(cut_mark);
    }
    void value(LogField::Value const& value) {
        if (auto* t = std::get_if<std::string_view>(&value)) return raw(std::uint16_t(text_size(*t))), text(*t);
        std::uint64_t number = 0;
        std::visit([&](auto v) { std::memcpy(&number, &v, std::min(sizeof(v), sizeof(number))); }, value);
        raw(number);
    }

   private:
    char* to_;
};

class Reader {
   public:
    explicit Reader(char const* from) : from_(from) {}
    template <class T>
    T raw() {
        T value;
        std::memcpy(&value, from_, sizeof(value));
        from_ += sizeof(value);
        return value;
    }
    std::string_view bytes(std::size_t n) { return {std::exchange(from_, from_ + n), n}; }
    template <class T>
    T number() {
        auto const stored = raw<std::uint64_t>();
        T value;
        std::memcpy(&value, &stored, sizeof(value));
        return value;
    }
    LogField field() {
        auto const kind = raw<std::uint8_t>();
        auto const name = bytes(raw<std::uint8_t>());
        if (kind == 0) return {name, bytes(raw<std::uint16_t>())};
        if (kind == 1) return {name, number<std::int64_t>()};
        if (kind == 2) return {name, number<std::uint64_t>()};
        if (kind == 3) return {name, number<double>()};
        return {name, number<bool>()};
    }

   private:
    char const* from_;
};

std::size_t encoded_size(LogEntry const& entry, std::string_view module, std::span<LogField const> fields) {
    std::size_t size = sizeof(Head) + module.size() + text_size(entry.message);
    for (auto const& field : fields) size += 2 + kept_bytes(field.name, name_bytes_max) + value_size(field.value);
    return size;
}

void encode(char* to, std::size_t size, LogEntry const& entry, std::string_view module, std::span<LogField const> fields) {
    Writer out(to);
    out.raw(Head{std::uint32_t(size), entry.level, std::uint8_t(fields.size()), std::uint8_t(module.size()),
                 std::uint16_t(text_size(entry.message)), entry.time.us});
    out.bytes(module);
    out.text(entry.message);
    for (auto const& field : fields) {
        auto const name = field.name.substr(0, kept_bytes(field.name, name_bytes_max));
        out.raw(std::uint8_t(field.value.index())), out.raw(std::uint8_t(name.size())), out.bytes(name);
        out.value(field.value);
    }
}

}  // namespace

LogQueue::LogQueue(Clock const& clock, LogQueueOptions options, std::vector<LogOutput*> outputs, std::vector<LogOutput*> access_outputs)
    : clock_(clock), options_(options), outputs_(std::move(outputs)), access_outputs_(std::move(access_outputs)), all_outputs_(outputs_) {
    for (auto* output : access_outputs_)
        if (std::ranges::find(all_outputs_, output) == all_outputs_.end()) all_outputs_.push_back(output);
}

void LogQueue::set_wake(std::function<void()> wake) { wake_ = std::move(wake); }

void LogQueue::add(LogEntry const& entry) {
    bool wake = false;
    {
        auto const module = entry.module.substr(0, kept_bytes(entry.module, name_bytes_max));
        auto const fields = entry.fields.first(std::min(entry.fields.size(), fields_max));
        std::size_t const size = encoded_size(entry, module, fields);
        auto const hash = options_.fold_repeats ? Repeats::hash(entry.level, module, entry.message) : 0;
        auto const now_ns = options_.fold_repeats ? clock_.steady_ns() : 0;
        std::lock_guard lock(mutex_);
        if (!options_.fold_repeats || repeats_.take(hash, entry.level, module, entry.message, entry.time, now_ns)) {
            std::size_t const at = waiting_.size();
            if (size > options_.bytes - at) {
                ++lost_now_;
                lost_lines_.fetch_add(1, std::memory_order_relaxed);
            } else {
                waiting_.resize(at + size);
                encode(waiting_.data() + at, size, entry, module, fields);
            }
            wake = wake_ && !woken_ && waiting_.size() > options_.bytes / 2;
            woken_ |= wake;
        }
    }
    if (!pumped_.load(std::memory_order_acquire)) return void(drain());
    if (wake) wake_();
}

AccessRing& LogQueue::new_ring() {
    std::lock_guard lock(mutex_);
    auto& ring = rings_.emplace_back(options_.ring_bytes, wake_);
    ring.set_on(access_on_.load(std::memory_order_relaxed) && !access_outputs_.empty());
    return ring;
}
void LogQueue::set_access_on(bool on) {
    std::lock_guard lock(mutex_);
    access_on_.store(on, std::memory_order_relaxed);
    for (auto& ring : rings_) ring.set_on(on && !access_outputs_.empty());
}

std::size_t LogQueue::drain() {
    std::lock_guard lock(pump_);
    return drain_locked(Repeats::Which::ended);
}
std::size_t LogQueue::finish() {
    std::lock_guard lock(pump_);
    return drain_locked(Repeats::Which::all);
}
void LogQueue::flush_for_crash() {
    if (pumping_.load(std::memory_order_relaxed) == &this_thread) return;  // an output failed: nothing is written any more
    std::unique_lock lock(pump_, crash_patience);
    if (lock.owns_lock()) drain_locked(Repeats::Which::all);
}
Result<void> LogQueue::reopen() {
    std::lock_guard lock(pump_);
    Result<void> result;
    for (auto* output : all_outputs_)
        if (auto r = output->reopen(); !r && result) result = std::move(r);
    return result;
}

LogQueue::Lost LogQueue::lost() const {
    Lost lost{.lines = lost_lines_.load(std::memory_order_relaxed)};
    for (auto* output : all_outputs_) lost.outputs += output->lost_lines();
    std::lock_guard lock(mutex_);
    for (auto const& ring : rings_) lost.accesses += ring.dropped();
    return lost;
}

std::size_t LogQueue::drain_locked(Repeats::Which which) {
    pumping_.store(&this_thread, std::memory_order_relaxed);
    std::size_t count = drain_lines(which);
    std::uint64_t dropped = 0;
    for (std::size_t i = 0;; ++i) {
        AccessRing* ring = nullptr;
        {
            std::lock_guard lock(mutex_);
            if (i < rings_.size()) ring = &rings_[i];
        }
        if (!ring) break;
        count += ring->read([&](AccessRecord const& record) {
            for (auto* output : access_outputs_) output->access(record);
        });
        dropped += ring->dropped();
    }
    write_lost(dropped - std::exchange(lost_accesses_told_, dropped), "access lines were lost: their queue was full");
    for (auto* output : all_outputs_) which == Repeats::Which::all ? output->finish() : output->flush();
    pumping_.store(nullptr, std::memory_order_relaxed);
    return count;
}

std::size_t LogQueue::drain_lines(Repeats::Which which) {
    std::vector<Repeats::Ended> ended;
    std::uint64_t lost;
    auto const now_ns = clock_.steady_ns();
    {
        std::lock_guard lock(mutex_);
        draining_.swap(waiting_);
        lost = std::exchange(lost_now_, 0);
        woken_ = false;
        if (which == Repeats::Which::all || repeats_.due(now_ns)) ended = repeats_.end(now_ns, which);
    }
    std::size_t count = 0;
    for (std::size_t at = 0; at < draining_.size(); ++count) {
        Reader in(draining_.data() + at);
        auto const head = in.raw<Head>();
        LogEntry entry{.time = {head.time_us}, .level = head.level, .module = {}, .message = {}, .fields = {}};
        entry.module = in.bytes(head.module_bytes);
        entry.message = in.bytes(head.message_bytes);
        fields_.clear();
        for (int i = 0; i < head.fields; ++i) fields_.push_back(in.field());
        entry.fields = fields_;
        to_all(entry);
        at += head.size;
    }
    draining_.clear();
    write_lost(lost, "log lines were lost: their queue was full");
    write_repeats(ended);
    return count;
}

void LogQueue::write_lost(std::uint64_t count, char const* what) {
    if (count == 0) return;
    std::array fields = {LogField("lines", count)};
    to_all({.time = clock_.wall(), .level = Level::warning, .module = "observe", .message = what, .fields = fields});
}

void LogQueue::write_repeats(std::vector<Repeats::Ended> const& ended) {
    for (auto const& one : ended) {
        std::string first(stamps_.of(one.first)), last(stamps_.of(one.last));
        std::array fields = {LogField("what", one.message), LogField("times", one.times), LogField("first", first), LogField("last", last)};
        to_all({.time = clock_.wall(), .level = one.level, .module = one.module, .message = "repeated", .fields = fields});
    }
}

void LogQueue::to_all(LogEntry const& entry) {
    for (auto* output : outputs_) output->line(entry);
}

}  // namespace gantry::observe
