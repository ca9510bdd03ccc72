#pragma once
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "kernel/base/random.h"
#include "kernel/log/log.h"

namespace gantry::log {

// What a memory log would have on a disk: it outlives the log, so that a test can stop a service and start it again.
class MemoryStore {
   public:
    MemoryStore() = default;

   private:
    friend class MemoryLog;
    struct Stored {
        std::string bytes;  // an encoded batch
        Position first = 0;
        std::uint32_t count = 0;
        std::shared_ptr<std::string const> schemas;
        std::uint64_t schemas_id = 0;
    };
    std::deque<std::shared_ptr<Stored const>> batches_;
    Position begin_ = 1;
    Position next_ = 1;
    Incarnation incarnation_ = 0;
    Epoch epoch_ = 0;
    Time last_time_{};
    std::uint64_t chain_ = 0;
    std::uint64_t bytes_ = 0;
};

// The log in memory, with the contract of the file log: the double that services are tested on. A batch is durable at once, and
// then on_durable is called from within append; or, after hold(), when the test says so by release().
class MemoryLog final : public Log {
   public:
    // Begins a writer's turn like a file log does, with an epoch batch.
    MemoryLog(std::shared_ptr<MemoryStore> store, Clock& clock, Random& random, Options options = {}, std::string schemas = {});
    explicit MemoryLog(Clock& clock, Random& random) : MemoryLog(std::make_shared<MemoryStore>(), clock, random) {}
    ~MemoryLog() override;  // what isn't durable is forgotten

    // From now on batches wait. release(n) makes the n oldest that wait durable, release_all() all, and ends the hold.
    void hold();
    void release(std::size_t batches);
    void release_all();
    std::size_t held() const;
    // What has_space answers.
    void set_space(bool there_is);

    bool has_space(std::uint64_t bytes) override;
    Result<void> may_append(std::uint64_t event_bytes) override;
    Result<Position> append(BatchView const& batch) override;
    void on_durable(std::function<void(Position)> callback) override;
    // Waits for another thread to release what is held.
    Result<void> wait_durable() override;
    Result<std::unique_ptr<Reader>> read(Position after) const override;
    Result<void> find(Position position, Visitor const& visit) const override;
    Result<Position> last_at(Time time) const override;
    Result<void> cut(Position below, Time now) override;
    Status status() const override;
    Result<void> close() override;

   private:
    using Stored = MemoryStore::Stored;
    class StoredReader;
    Result<Position> append_locked(BatchView const& batch);
    Result<void> admit(std::uint64_t bytes) const;  // of a batch; what append fails with
    void make_durable(std::size_t batches, std::unique_lock<std::mutex>& lock);
    std::vector<std::shared_ptr<Stored const>> wanted(Position after) const;
    static void decode(Stored const& stored, std::vector<CursorView>& cursors, BatchView& view);

    std::shared_ptr<MemoryStore> store_;
    Options options_;
    std::shared_ptr<std::string const> schemas_;
    std::uint64_t schemas_id_;
    std::function<void(Position)> callback_;
    mutable std::mutex mutex_;
    std::condition_variable durable_changed_;
    std::deque<Stored> waiting_;
    std::uint64_t waiting_bytes_ = 0;
    Position next_;
    Time last_time_;
    std::uint64_t chain_;
    std::uint64_t appended_ = 0, durable_ = 0;  // batches
    bool holding_ = false;
    bool space_ = true;
    bool closed_ = false;
};

}  // namespace gantry::log
