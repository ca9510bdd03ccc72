#pragma once
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/log/disk.h"

namespace gantry::runtime {

// Reports as JSON files: DIR/<id>.json while it is to be delivered, DIR/delivered/<id>.json from then on. Of each the newest `files_max`.
// A file appears whole or not at all, and stays. Safe from any thread; takes as long as the disk does.
class ReportSpool {
   public:
    static constexpr std::size_t files_max = 1000;
    // `former`: a directory where an earlier release kept them; only read. Empty directories: nothing is kept.
    ReportSpool(log::Disk& disk, std::string directory, std::string former);

    enum class Deliver { yes, never };
    Result<void> put(std::string_view id, std::string const& json, Deliver deliver = Deliver::yes);
    // Ids, the oldest first.
    Result<std::vector<std::string>> pending() const;
    Result<std::string> read_pending(std::string const& id) const;
    Result<void> mark_delivered(std::string const& id);
    std::optional<std::string> find(std::string_view id) const;
    bool keeps() const { return !directory_.empty(); }
    std::string const& directory() const { return directory_; }

    // Since the start.
    std::uint64_t delivered() const { return delivered_.load(std::memory_order_relaxed); }
    std::uint64_t pushed_out() const { return pushed_out_.load(std::memory_order_relaxed); }  // undelivered, by newer ones
    std::uint64_t waiting() const { return waiting_.load(std::memory_order_relaxed); }
    void note_delivered() { delivered_.fetch_add(1, std::memory_order_relaxed); }

   private:
    std::string file_of(std::string_view id) const;
    std::string delivered_directory() const { return directory_ + "/delivered"; }
    std::string delivered_file_of(std::string_view id) const;
    Result<std::vector<std::string>> files(std::string const& directory) const;
    Result<void> prune(std::string const& directory, bool undelivered);

    log::Disk& disk_;
    std::string directory_, former_;
    mutable std::mutex mutex_;  // over what changes the directory
    std::atomic<std::uint64_t> delivered_ = 0, pushed_out_ = 0;
    mutable std::atomic<std::uint64_t> waiting_ = 0;
};

// Whether a text may be the id of a report, and so part of a file's name.
bool is_report_id(std::string_view text);

}  // namespace gantry::runtime
