// How a host comes to its state: the newest good snapshot, or nothing, and the log after it; and how it leaves one.
#include <algorithm>
#include <chrono>
#include <thread>

#include "kernel/base/assert.h"
#include "kernel/base/hash.h"
#include "kernel/observe/log_line.h"
#include "kernel/runtime/host.h"

namespace gantry::runtime {
namespace {

constexpr std::uint32_t kernel_section = 2;  // its form; a snapshot of another one is passed over
constexpr Position progress_every = 1 << 16;
constexpr Position snapshot_after = 1 << 20;  // events: what a start then replays at most takes a second or so

// Gathers small writes into pieces of a megabyte.
class SnapshotOut final : public state::Out {
   public:
    SnapshotOut(log::Snapshots::Sink const& sink, codec::Sealer const* sealer) : Out(sealer), sink_(sink) { buffer_.reserve(piece_bytes); }
    void write(void const* bytes, std::size_t size) override {
        buffer_.append(static_cast<char const*>(bytes), size);
        if (buffer_.size() >= piece_bytes) flush();
    }
    Result<void> finish() { return flush(), std::move(failed_); }

   private:
    static constexpr std::size_t piece_bytes = 1 << 20;
    void flush() {
        if (failed_ && !buffer_.empty()) failed_ = sink_(buffer_);
        buffer_.clear();
    }
    log::Snapshots::Sink const& sink_;
    std::string buffer_;
    Result<void> failed_;
};

class SnapshotIn final : public state::In {
   public:
    SnapshotIn(log::Snapshots::Source& source, codec::Sealer const* sealer) : In(sealer), source_(source) {}
    bool read(void* bytes, std::size_t size) override {
        auto got = source_.read({static_cast<char*>(bytes), size});
        if (!got) failed_ = std::move(got);
        return failed_.has_value();
    }
    std::uint64_t left() const override { return source_.left(); }

   private:
    log::Snapshots::Source& source_;
    Result<void> failed_;
};

// What the kernel itself keeps beside a service's state.
void save_kernel(std::vector<BaselineMark> const& baselines, Remembered const& remembered, state::Out& out) {
    out.number(std::uint32_t(baselines.size()));
    for (auto const& mark : baselines) out.number(mark.position), out.number(mark.time.us);
    remembered.save(out);
}
bool load_kernel(std::vector<BaselineMark>& baselines, Remembered& remembered, state::In& in) {
    std::uint32_t count;
    if (!in.number(count) || count > in.left() / 16) return false;
    for (BaselineMark mark; count > 0; --count) {
        if (!in.number(mark.position) || !in.number(mark.time.us)) return false;
        baselines.push_back(mark);
    }
    return remembered.load(in);
}

}  // namespace

Result<Host::State> Host::restore(Progress const& progress) {
    State state{decl_.state.create()};
    TRY_ASSIGN(bool loaded, load_snapshot(state));
    if (!loaded) {
        state = State{decl_.state.create()};
        if (parts_.log.status().begin > 1) TRY_VOID(load_baseline(state));
    }
    snapshot_at_ = state.last;
    TRY_VOID(replay_into(state, progress));
    return state;
}

Result<bool> Host::load_snapshot(State& state) {
    if (!parts_.snapshots) return false;
    auto const status = parts_.log.status();
    auto found = parts_.snapshots->newest(status.incarnation, decl_.state.fingerprint, status.durable);
    if (!found || !*found) return false;
    if ((*found)->meta().position + 1 < status.begin) return false;  // what came behind it was cut away since
    SnapshotIn in(**found, parts_.sealer);
    std::uint32_t form;
    bool good = in.number(form) && form == kernel_section && load_kernel(state.baselines, state.remembered, in) &&
                decl_.state.load(state.service.get(), in) && in.left() == 0;
    if (!good) {
        observe::log_line(observe::Level::warning, "runtime", "a snapshot can't be read: the log is replayed instead",
                          {{"service", decl_.name}, {"position", (*found)->meta().position}});
        return false;
    }
    state.last = (*found)->meta().position, state.last_time = (*found)->meta().time;
    return true;
}

Result<bool> Host::load_baseline(State& state) {
    TRY_ASSIGN(auto newest, find_baseline(parts_.log));
    if (!newest || newest->position + 1 < parts_.log.status().begin)
        return fail(500, "log_damaged",
                    "the log begins at " + std::to_string(parts_.log.status().begin) +
                        " and holds no whole baseline of what was before: restore its first segments from a copy or an export");
    auto load = [&](state::In& in) {
        std::uint32_t form;
        return in.number(form) && form == kernel_section && load_kernel(state.baselines, state.remembered, in) &&
               decl_.state.load_portable(state.service.get(), in);
    };
    TRY_VOID(read_baseline(parts_.log, *newest, parts_.sealer, load, decl_.renames));
    state.last = newest->position, state.last_time = newest->time;
    state.baselines.clear();  // the scan that follows finds those that are there, this one among them
    return true;
}

Result<void> Host::replay_into(State& state, Progress const& progress) {
    Position const end = parts_.log.status().durable;
    std::unique_ptr<codec::EventReader> reader;
    std::uint64_t reader_id = 0;
    BaselineParts baseline;
    Position told = state.last;
    Result<void> outcome;
    auto visit = [&](std::span<log::BatchView const> run) {
        bool const events = std::ranges::any_of(run, [](auto const& batch) { return batch.count > 0; });
        if (events && (!reader || reader_id != run.front().schemas_id)) {
            auto made = codec::make_event_reader(run.front().schemas, *decl_.event, decl_.renames);
            if (!made) return outcome = std::unexpected(std::move(made.error())), false;
            reader = std::move(*made), reader_id = run.front().schemas_id;
        }
        if (events) outcome = decl_.replay(state.service.get(), run, *reader, parts_.sealer, state.last);
        if (!outcome) return false;
        for (auto const& batch : run) {
            if (auto whole = baseline.take(batch)) state.baselines.push_back(*whole);
            if (batch.idempotency && batch.first > state.last) remember(state, batch);
            if (batch.count > 0) state.last = std::max(state.last, batch.last());
            state.last_time = std::max(state.last_time, batch.time);
        }
        replayed_.store(state.last, std::memory_order_relaxed);
        if (!progress || state.last < told + progress_every || progress(told = state.last, end)) return true;
        outcome = fail(503, "stopped", "the start was ended");
        return false;
    };
    TRY_VOID(parts_.log.scan_runs(state.last, visit));
    return outcome;
}

void Host::remember(State& state, log::BatchView const& batch) {
    auto const& idempotency = *batch.idempotency;
    if (idempotency.key_hash.size() < sizeof(ShortHash) || idempotency.body_hmac.size() < sizeof(ShortHash)) return;
    ShortHash key, body;
    std::copy_n(idempotency.key_hash.begin(), key.size(), key.begin());
    std::copy_n(idempotency.body_hmac.begin(), body.size(), body.begin());
    state.remembered.forget_before(batch.time - Remembered::keep);
    if (!state.remembered.find(key) && !state.remembered.full()) state.remembered.add(key, body, batch.first, batch.time);
}

Result<void> Host::save_snapshot() {
    if (!parts_.snapshots || !ready()) return {};
    lock_.lock();
    bool const due = !stopped_ && state_.last > snapshot_at_;
    auto view = due ? decl_.state.view(state_.service.get()) : decltype(state_.service)(nullptr, [](void*) {});
    Remembered remembered = due ? state_.remembered : Remembered();
    auto const baselines = state_.baselines;
    Position const position = state_.last;
    Time const time = state_.last_time;
    lock_.unlock();
    if (!due) return {};
    TRY_VOID(parts_.log.wait_durable());
    auto const status = parts_.log.status();
    log::Snapshots::Meta const meta{position, status.incarnation, decl_.state.fingerprint, time, status.chain};
    TRY_VOID(parts_.snapshots->save(meta, [&](log::Snapshots::Sink const& sink) {
        SnapshotOut out(sink, parts_.sealer);
        out.number(kernel_section);
        save_kernel(baselines, remembered, out);
        decl_.state.save(view.get(), out);
        return out.finish();
    }));
    snapshot_at_ = position;
    return {};
}

// The state is written as it is now, in parts among which commands go on.
Result<void> Host::write_baseline() {
    lock_.lock();
    auto view = decl_.state.view(state_.service.get());
    Remembered const remembered = state_.remembered;
    auto const baselines = state_.baselines;
    BaselineMark const mark{state_.last, state_.last_time};
    lock_.unlock();
    BaselineOut out(mark, parts_.sealer, [&](std::string_view note) -> Result<void> {
        // Its space is prepared on another thread; a disk without any must not hold up the service.
        for (int tries = 0; !parts_.log.has_space(note.size() + 4096); ++tries) {
            if (tries == 100) return fail(507, "log_full", "the disk has no room for a baseline: the log keeps growing until it has");
            TRY_VOID(parts_.log.wait_durable());
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
        }
        log::BatchView batch;
        batch.kind = log::BatchKind::baseline, batch.note = note;
        {
            lock_.lock();
            batch.time = std::max(state_.last_time, parts_.clock.wall());
            auto appended = parts_.log.append(batch);
            if (appended) state_.last_time = batch.time;
            lock_.unlock();
            if (!appended) return std::unexpected(std::move(appended.error()));
        }
        return parts_.log.wait_durable();
    });
    out.number(kernel_section);
    save_kernel(baselines, remembered, out);
    decl_.state.save_portable(view.get(), out);
    TRY_VOID(out.finish());
    lock_.lock();
    state_.baselines.push_back(mark);
    lock_.unlock();
    return {};
}

Result<void> Host::retain() {
    auto const keep = decl_.retention ? decl_.retention(parts_.settings) : std::nullopt;
    if (!keep) return {};
    lock_.lock_shared();
    auto const marks = state_.baselines;
    auto const last = state_.last;
    auto const oldest_repeat = state_.remembered.oldest();
    lock_.unlock_shared();
    auto const now = parts_.clock.wall();
    auto const newest = marks.empty() ? BaselineMark{0, first_time_} : marks.back();
    if (first_time_.us != 0 && last > newest.position && now - newest.time >= Duration{keep->us / 4}) TRY_VOID(write_baseline());
    std::optional<BaselineMark> below;
    for (auto const& mark : marks)
        if (now - mark.time >= *keep) below = mark;
    if (!below) return {};
    auto const position = std::min(below->position + 1, oldest_repeat.value_or(below->position + 1));
    if (position > parts_.log.status().begin) TRY_VOID(parts_.log.cut(position, {}));
    lock_.lock();
    std::erase_if(state_.baselines, [&](auto const& mark) { return mark.position < below->position; });
    lock_.unlock();
    return {};
}

Result<void> Host::measure_memory() {
    if (parts_.memory_bytes_max == 0) return {};
    lock_.lock_shared();
    std::uint64_t bytes = state_.remembered.memory_bytes();
    for (auto const& [member, size] : decl_.state.memory_bytes(state_.service.get())) bytes += size;
    lock_.unlock_shared();
    memory_bytes_.store(bytes, std::memory_order_relaxed);
    bool const full = bytes > parts_.memory_bytes_max;
    if (full != memory_full_.exchange(full))
        observe::log_line(full ? observe::Level::error : observe::Level::info, "runtime",
                          full ? "the state is at its memory limit: commands are refused" : "the state is below its memory limit again",
                          {{"service", decl_.name}, {"bytes", bytes}, {"bytes_max", parts_.memory_bytes_max}});
    return {};
}

Result<void> Host::keep_house() {
    if (!ready()) return {};
    TRY_VOID(tick(Viewer{Str("gantry"), true}));
    TRY_VOID(measure_memory());
    TRY_VOID(retain());
    if (applied() >= snapshot_at_.load() + snapshot_after) return save_snapshot();
    return {};
}

}  // namespace gantry::runtime
