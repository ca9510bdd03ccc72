#include "kernel/log/memory/memory_log.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernel/base/assert.h"
#include "kernel/base/hash.h"
#include "kernel/log/batch.h"

namespace gantry::log {

MemoryLog::MemoryLog(std::shared_ptr<MemoryStore> store, Clock& clock, Random& random, Options options, std::string schemas)
    : store_(std::move(store)),
      options_(options),
      schemas_(std::make_shared<std::string const>(std::move(schemas))),
      schemas_id_(hash64(*schemas_)),
      next_(store_->next_),
      last_time_(store_->last_time_),
      chain_(store_->chain_) {
    if (store_->incarnation_ == 0) store_->incarnation_ = random.next();
    ++store_->epoch_;
    BatchView epoch;
    epoch.kind = BatchKind::epoch, epoch.time = std::max(clock.wall(), last_time_);
    auto begun = append(epoch);
    GANTRY_ASSERT(begun.has_value(), "a batch without content fits any limit");
    appended_ = durable_ = 0;
}

MemoryLog::~MemoryLog() = default;

void MemoryLog::hold() {
    std::lock_guard lock(mutex_);
    holding_ = true;
}

void MemoryLog::release(std::size_t batches) {
    std::unique_lock lock(mutex_);
    make_durable(std::min(batches, waiting_.size()), lock);
}

void MemoryLog::release_all() {
    std::unique_lock lock(mutex_);
    holding_ = false;
    make_durable(waiting_.size(), lock);
}

std::size_t MemoryLog::held() const {
    std::lock_guard lock(mutex_);
    return waiting_.size();
}

void MemoryLog::set_space(bool there_is) {
    std::lock_guard lock(mutex_);
    space_ = there_is;
}

bool MemoryLog::has_space(std::uint64_t) {
    std::lock_guard lock(mutex_);
    return space_ && !closed_;
}

Result<Position> MemoryLog::append(BatchView const& batch) {
    std::unique_lock lock(mutex_);
    auto first = append_locked(batch);
    if (first && !holding_) make_durable(waiting_.size(), lock);
    return first;
}

Result<void> MemoryLog::may_append(std::uint64_t event_bytes) {
    std::lock_guard lock(mutex_);
    TRY_VOID(admit(event_bytes));
    return admit(std::min(event_bytes + header_bytes_likely, options_.batch_bytes_max));
}

Result<void> MemoryLog::admit(std::uint64_t bytes) const {
    if (closed_) return fail(503, "log_closed", "The log takes nothing more.");
    if (bytes > options_.batch_bytes_max)
        return fail(413, "batch_too_large",
                    fmt::format("What the command records has {} bytes, more than {}.", bytes, options_.batch_bytes_max));
    if (waiting_bytes_ + bytes > options_.pending_bytes_max) {
        Problem busy{503, "log_busy", "The log can't keep up."};
        busy.retry_after_s = 1;
        return fail(std::move(busy));
    }
    return {};
}

Result<Position> MemoryLog::append_locked(BatchView const& batch) {
    TRY_VOID(admit(encoded_size(batch)));
    GANTRY_ASSERT(batch.time >= last_time_, "time in a log never goes back");
    GANTRY_ASSERT(events_well_formed(batch.events, batch.count), "a batch holds exactly `count` events");
    BatchView placed = batch;
    placed.first = next_, placed.epoch = store_->epoch_, placed.incarnation = store_->incarnation_;
    Stored stored{{}, next_, batch.count, schemas_, schemas_id_};
    chain_ = encode(placed, chain_, stored.bytes);
    next_ += batch.count, last_time_ = batch.time, waiting_bytes_ += stored.bytes.size();
    waiting_.push_back(std::move(stored));
    ++appended_;
    return placed.first;
}

void MemoryLog::make_durable(std::size_t batches, std::unique_lock<std::mutex>& lock) {
    auto before = store_->next_;
    for (std::size_t i = 0; i < batches; ++i) {
        auto stored = std::move(waiting_.front());
        waiting_.pop_front();
        auto header = load_header(stored.bytes.data());
        store_->next_ = header.first + header.count, store_->chain_ = header.chain, store_->last_time_ = header.time;
        store_->bytes_ += stored.bytes.size(), waiting_bytes_ -= stored.bytes.size();
        store_->batches_.push_back(std::make_shared<Stored const>(std::move(stored)));
    }
    durable_ += batches;
    auto durable = store_->next_ - 1;
    bool more_events = store_->next_ != before;
    lock.unlock();
    durable_changed_.notify_all();
    if (more_events && callback_) callback_(durable);
}

void MemoryLog::on_durable(std::function<void(Position)> callback) {
    std::lock_guard lock(mutex_);
    GANTRY_ASSERT(appended_ == 0, "set before the first append");
    callback_ = std::move(callback);
}

Result<void> MemoryLog::wait_durable() {
    std::unique_lock lock(mutex_);
    durable_changed_.wait(lock, [this, target = appended_] { return durable_ >= target; });
    return {};
}

void MemoryLog::decode(Stored const& stored, std::vector<CursorView>& cursors, BatchView& view) {
    auto why = decode_body(load_header(stored.bytes.data()), stored.bytes.data(), cursors, view);
    GANTRY_ASSERT(why == nullptr, "what was encoded can be decoded");
    view.schemas = *stored.schemas, view.schemas_id = stored.schemas_id;
}

std::vector<std::shared_ptr<MemoryLog::Stored const>> MemoryLog::wanted(Position after) const {
    std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<Stored const>> found;
    auto at = std::ranges::lower_bound(store_->batches_, after + 1, {}, [](auto& s) { return s->first + s->count; });
    for (; at != store_->batches_.end(); ++at)
        if ((*at)->count > 0 ? (*at)->first + (*at)->count - 1 > after : (*at)->first > after) found.push_back(*at);
    return found;
}

class MemoryLog::StoredReader final : public Reader {
   public:
    explicit StoredReader(std::vector<std::shared_ptr<Stored const>> found) : found_(std::move(found)), cursors_(run_batches_max) {}
    Result<std::span<BatchView const>> next() override {
        run_.clear();
        std::uint64_t bytes = 0;
        for (; at_ < found_.size() && run_.size() < run_batches_max; ++at_) {
            auto const& stored = *found_[at_];
            bytes += stored.bytes.size();
            if (!run_.empty() && (stored.schemas_id != run_.front().schemas_id || bytes > run_bytes_max)) break;
            auto& cursors = cursors_[run_.size()];
            decode(stored, cursors, run_.emplace_back());
        }
        return std::span<BatchView const>(run_);
    }

   private:
    std::vector<std::shared_ptr<Stored const>> found_;
    std::vector<std::vector<CursorView>> cursors_;
    std::vector<BatchView> run_;
    std::size_t at_ = 0;
};

Result<std::unique_ptr<Log::Reader>> MemoryLog::read(Position after) const { return std::make_unique<StoredReader>(wanted(after)); }

Result<void> MemoryLog::find(Position position, Visitor const& visit) const {
    std::shared_ptr<Stored const> found;
    {
        std::lock_guard lock(mutex_);
        if (position < store_->begin_)
            return fail(410, "position_gone", fmt::format("Position {} was dropped; the log begins at {}.", position, store_->begin_));
        if (position >= store_->next_) return fail(404, "position_unknown", fmt::format("The log ends at {}.", store_->next_ - 1));
        auto at = std::ranges::lower_bound(store_->batches_, position + 1, {}, [](auto& s) { return s->first + s->count; });
        found = *at;
    }
    std::vector<CursorView> cursors;
    BatchView view;
    decode(*found, cursors, view);
    visit(view);
    return {};
}

Result<Position> MemoryLog::last_at(Time time) const {
    std::lock_guard lock(mutex_);
    auto later = std::ranges::upper_bound(store_->batches_, time, {}, [](auto& s) { return load_header(s->bytes.data()).time; });
    if (later == store_->batches_.begin()) return store_->begin_ - 1;
    auto const& last = **std::prev(later);
    return last.first + last.count - 1;
}

// There are no segments, so it cuts exactly before the batch that holds `below`.
Result<void> MemoryLog::cut(Position below, Time now) {
    {
        std::unique_lock lock(mutex_);
        std::size_t gone = 0;
        Position begin = store_->begin_;
        auto is_below = [&](Stored const& s) { return s.count > 0 ? s.first + s.count <= below : s.first < below; };
        while (gone < store_->batches_.size() && is_below(*store_->batches_[gone])) {
            begin = store_->batches_[gone]->first + store_->batches_[gone]->count;
            ++gone;
        }
        if (begin == store_->begin_) return {};
        auto note = fmt::format("{} {} {}", store_->begin_, begin - 1, 1);
        BatchView dropped;
        dropped.kind = BatchKind::dropped, dropped.time = std::max(now, last_time_), dropped.note = note;
        TRY_ASSIGN([[maybe_unused]] auto at, append_locked(dropped));
        for (; gone > 0; --gone) store_->bytes_ -= store_->batches_.front()->bytes.size(), store_->batches_.pop_front();
        store_->begin_ = begin;
        if (!holding_) make_durable(waiting_.size(), lock);
    }
    return wait_durable();
}

Status MemoryLog::status() const {
    std::lock_guard lock(mutex_);
    Status s;
    s.incarnation = store_->incarnation_, s.epoch = store_->epoch_;
    s.begin = store_->begin_, s.end = next_ - 1, s.durable = store_->next_ - 1;
    s.last_time = last_time_, s.chain = chain_;
    s.bytes = store_->bytes_, s.segments = 1;
    return s;
}

Result<void> MemoryLog::close() {
    release_all();
    std::lock_guard lock(mutex_);
    closed_ = true;
    return {};
}

}  // namespace gantry::log
