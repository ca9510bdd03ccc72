#include "kernel/runtime/folded.h"

#include <algorithm>

#include "kernel/observe/log_line.h"
#include "kernel/runtime/upgrade.h"

namespace gantry::runtime {
namespace {

constexpr std::uint32_t kernel_section = 3;  // its form; a snapshot of another one is passed over
constexpr Position progress_every = 1 << 16;

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
void save_kernel(Folded const& state, state::Out& out) {
    out.number(kernel_section);
    out.number(std::uint32_t(state.baselines.size()));
    for (auto const& mark : state.baselines) out.number(mark.position), out.number(mark.time.us);
    out.number(std::uint32_t(state.agreed.size()));
    for (auto const& name : state.agreed) out.text(name);
    state.remembered.save(out);
    state.followed.save(out);
}
bool load_kernel(Folded& state, state::In& in) {
    std::uint32_t form, count;
    if (!in.number(form) || form != kernel_section || !in.number(count) || count > in.left() / 16) return false;
    for (BaselineMark mark; count > 0; --count) {
        if (!in.number(mark.position) || !in.number(mark.time.us)) return false;
        state.baselines.push_back(mark);
    }
    if (!in.number(count) || count > in.left() / 4) return false;
    state.agreed.resize(count);
    for (auto& name : state.agreed)
        if (!in.text(name)) return false;
    return state.remembered.load(in) && state.followed.load(in);
}

void remember(Folded& state, log::BatchView const& batch) {
    auto const& idempotency = *batch.idempotency;
    if (idempotency.key_hash.size() < sizeof(ShortHash) || idempotency.body_hmac.size() < sizeof(ShortHash)) return;
    ShortHash key, body;
    std::copy_n(idempotency.key_hash.begin(), key.size(), key.begin());
    std::copy_n(idempotency.body_hmac.begin(), body.size(), body.begin());
    state.remembered.forget_before(batch.time - Remembered::keep);
    if (!state.remembered.find(key) && !state.remembered.full()) state.remembered.add(key, body, batch.first, batch.time);
}

// Folds runs of batches, with the reader of the schemas that they were written with.
class Replayer {
   public:
    Replayer(Sources const& sources, Folded& state, Position upto) : sources_(sources), state_(state), upto_(upto) {}

    Result<void> take(std::span<log::BatchView const> run) {
        if (std::ranges::any_of(run, [](auto const& batch) { return batch.count > 0; })) {
            TRY_VOID(know(run.front()));
            TRY_VOID(sources_.decl.replay(state_.service.get(), run, *reader_, sources_.sealer, state_.last, upto_));
        }
        for (auto const& batch : run) {
            if (batch.first > upto_) break;
            if (auto whole = baseline_.take(batch)) state_.baselines.push_back(*whole);
            if (batch.kind == log::BatchKind::agreed) {
                TRY_ASSIGN(state_.agreed, read_agreed(batch.note));
            }
            if (batch.idempotency && batch.first > state_.last) remember(state_, batch);
            if (!batch.cursors.empty()) state_.followed.take(batch);
            if (batch.count > 0) state_.last = std::max(state_.last, std::min(batch.last(), upto_));
            state_.last_time = std::max(state_.last_time, batch.time);
        }
        return {};
    }

   private:
    Result<void> know(log::BatchView const& batch) {
        if (reader_ && reader_id_ == batch.schemas_id) return {};
        TRY_ASSIGN(reader_, codec::make_event_reader(batch.schemas, *sources_.decl.event, sources_.decl.renames));
        reader_id_ = batch.schemas_id;
        return {};
    }
    Sources const& sources_;
    Folded& state_;
    Position upto_;
    std::unique_ptr<codec::EventReader> reader_;
    std::uint64_t reader_id_ = 0;
    BaselineParts baseline_;
};

}  // namespace

Folded Folded::view(ServiceDecl const& decl) const {
    return {decl.state.view(service.get()), baselines, remembered, agreed, followed, last, last_time};
}

std::uint64_t Folded::memory_bytes(ServiceDecl const& decl) const {
    std::uint64_t bytes = remembered.memory_bytes() + followed.memory_bytes();
    for (auto const& [member, size] : decl.state.memory_bytes(service.get())) bytes += size;
    return bytes;
}

Result<std::optional<Folded>> load_snapshot(Sources const& sources, Position at_most) {
    if (!sources.snapshots) return std::nullopt;
    auto const status = sources.log.status();
    auto found = sources.snapshots->newest(status.incarnation, sources.decl.state.fingerprint, std::min(at_most, status.durable));
    if (!found || !*found) return std::nullopt;
    auto const meta = (*found)->meta();
    if (meta.position + 1 < status.begin) return std::nullopt;  // what came behind it was cut away since
    Folded state = Folded::empty(sources.decl);
    SnapshotIn in(**found, sources.sealer);
    if (!load_kernel(state, in) || !sources.decl.state.load(state.service.get(), in) || in.left() != 0) {
        observe::log_line(observe::Level::warning, "runtime", "a snapshot can't be read: the log is replayed instead",
                          {{"service", sources.decl.name}, {"position", meta.position}});
        return std::nullopt;
    }
    state.last = meta.position, state.last_time = meta.time;
    return state;
}

Result<Folded> load_baseline(Sources const& sources, BaselineMark mark) {
    Folded state = Folded::empty(sources.decl);
    auto load = [&](state::In& in) { return load_kernel(state, in) && sources.decl.state.load_portable(state.service.get(), in); };
    TRY_VOID(read_baseline(sources.log, mark, sources.sealer, load, sources.decl.renames));
    state.last = mark.position, state.last_time = mark.time;
    state.baselines.clear();  // the replay that follows finds those that are there, this one among them
    return state;
}

Result<void> replay(Sources const& sources, Folded& state, Position upto, Progress const& progress) {
    Position const end = std::min(upto, sources.log.status().durable);
    Replayer replayer(sources, state, upto);
    Position told = state.last;
    Result<void> outcome;
    auto visit = [&](std::span<log::BatchView const> run) {
        outcome = replayer.take(run);
        if (!outcome || state.last >= upto) return false;
        if (!progress || state.last < told + progress_every) return true;
        told = state.last;
        if (progress(state, end)) return true;
        outcome = fail(503, "stopped", "the replay was ended");
        return false;
    };
    if (state.last >= upto) return {};
    TRY_ASSIGN(auto reader, sources.log.read_on(state.last));
    for (;;) {
        TRY_ASSIGN(auto run, reader->next());
        if (run.empty() || !visit(run)) return outcome;
    }
}

Result<void> save(Sources const& sources, Folded const& state, log::Snapshots::Meta const& meta, log::Snapshots::Keep keep) {
    auto write = [&](log::Snapshots::Sink const& sink) {
        SnapshotOut out(sink, sources.sealer);
        save_kernel(state, out);
        sources.decl.state.save(state.service.get(), out);
        return out.finish();
    };
    return sources.snapshots->save(meta, write, keep);
}

void save_portable(ServiceDecl const& decl, Folded const& state, state::Out& out) {
    save_kernel(state, out);
    decl.state.save_portable(state.service.get(), out);
}

}  // namespace gantry::runtime
