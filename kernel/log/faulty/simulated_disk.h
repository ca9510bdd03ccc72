#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "kernel/base/random.h"
#include "kernel/log/disk.h"

namespace gantry::log {

// A disk in memory that is as nasty as disks may be. What was written but not synced is known apart, in sectors of 512 bytes; a crash
// keeps any part of it. A sync that fails leaves pages that look written and are not, and no later sync writes them. A file
// name that was made, renamed or removed is certain only after sync_directory. Safe from any thread; repeatable from one.
class SimulatedDisk final : public Disk {
   public:
    explicit SimulatedDisk(std::uint64_t seed = 1) : random_(seed) {}

    struct Faults {  // probabilities per call
        double read = 0, write = 0, sync = 0, name = 0;
    };
    void set_faults(Faults faults);
    // The n-th write or sync from now fails (1: the next); 0: none. For walking through every point of failure.
    void fail_at(std::uint64_t nth_call);
    std::uint64_t calls() const;             // writes and syncs so far
    void set_capacity(std::uint64_t bytes);  // allocations beyond fail with "disk_full"
    void set_file_system(std::string name);

    // The power goes: of what wasn't synced, each sector and each name is kept or lost at random. Open files fail from then on.
    void crash();
    // Only the process dies: what it wrote is still there. Open files fail from then on, locks are gone.
    void kill();

    // Changes one bit of what is stored, as rot does. False if the file doesn't reach so far.
    bool flip_bit(std::string const& path, std::uint64_t offset, int bit);
    std::vector<std::string> files() const;  // all paths, sorted
    std::uint64_t used_bytes() const;

    Result<std::unique_ptr<File>> open(std::string const& path, Open how) override;
    Result<void> make_directories(std::string const& path) override;
    Result<std::vector<std::string>> list(std::string const& directory) override;
    Result<void> rename(std::string const& from, std::string const& to) override;
    Result<void> remove(std::string const& path) override;
    Result<void> sync_directory(std::string const& path) override;
    Result<bool> exists(std::string const& path) override;
    Result<std::uint64_t> free_bytes(std::string const& path) override;
    Result<std::string> file_system(std::string const& path) override;
    Result<std::unique_ptr<File>> lock(std::string const& path) override;

   private:
    friend class SimulatedFile;
    struct Node {
        std::string now;                // what a read sees
        std::string durable;            // what a crash leaves for certain
        std::set<std::uint64_t> dirty;  // sectors that the next sync writes
        bool locked = false;
    };
    using NodePtr = std::shared_ptr<Node>;
    std::unexpected<Problem> failed(std::string_view call, std::string const& path, bool full = false) const;
    bool faulty(double probability, bool counted);
    std::uint64_t used_locked() const;
    void crash_node(Node& node);
    Result<void> resize(Node& node, std::uint64_t size, std::string const& path);

    mutable std::mutex mutex_;
    SeededRandom random_;
    Faults faults_;
    std::uint64_t calls_ = 0;
    std::uint64_t fail_at_ = 0;
    std::uint64_t capacity_ = ~std::uint64_t{0};
    std::string file_system_ = "simulated";
    std::uint64_t life_ = 0;                  // of the process: files opened in an earlier one fail
    std::map<std::string, NodePtr> names_;    // as the process sees them
    std::map<std::string, NodePtr> durable_;  // as a crash leaves them for certain
    std::set<std::string> directories_;
};

}  // namespace gantry::log
