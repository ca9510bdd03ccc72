#include "kernel/runtime/report_spool.h"

#include <algorithm>

namespace gantry::runtime {
namespace {

constexpr std::string_view suffix = ".json";

}  // namespace

bool is_report_id(std::string_view text) {
    auto const plain = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
    };
    return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, plain);
}

ReportSpool::ReportSpool(log::Disk& disk, std::string directory, std::string former)
    : disk_(disk), directory_(std::move(directory)), former_(std::move(former)) {
    if (keeps()) (void)pending();
}

std::string ReportSpool::file_of(std::string_view id) const { return directory_ + "/" + std::string(id) + std::string(suffix); }
std::string ReportSpool::delivered_file_of(std::string_view id) const {
    return delivered_directory() + "/" + std::string(id) + std::string(suffix);
}

Result<std::vector<std::string>> ReportSpool::files(std::string const& directory) const {
    TRY_ASSIGN(auto names, disk_.list(directory));  // sorted, and an id begins with its time
    std::erase_if(names, [](std::string const& name) { return !name.ends_with(suffix); });
    return names;
}

Result<void> ReportSpool::put(std::string_view id, std::string const& json, Deliver deliver) {
    if (!keeps()) return {};
    std::lock_guard guard(mutex_);
    bool const later = deliver == Deliver::yes;
    auto const directory = later ? directory_ : delivered_directory();
    TRY_VOID(disk_.make_directories(directory));
    TRY_VOID(log::write_file_durably(disk_, later ? file_of(id) : delivered_file_of(id), json, log::Open::create_private));
    return prune(directory, later);
}

Result<void> ReportSpool::prune(std::string const& directory, bool undelivered) {
    TRY_ASSIGN(auto const names, files(directory));
    for (std::size_t i = 0; i + files_max < names.size(); ++i) {
        TRY_VOID(disk_.remove(directory + "/" + names[i]));
        if (undelivered) pushed_out_.fetch_add(1, std::memory_order_relaxed);
    }
    if (undelivered) waiting_.store(std::min(names.size(), files_max), std::memory_order_relaxed);
    return {};
}

Result<std::vector<std::string>> ReportSpool::pending() const {
    std::vector<std::string> ids;
    if (!keeps()) return ids;
    TRY_ASSIGN(auto const names, files(directory_));
    for (auto const& name : names) ids.push_back(name.substr(0, name.size() - suffix.size()));
    waiting_.store(ids.size(), std::memory_order_relaxed);
    return ids;
}

Result<std::string> ReportSpool::read_pending(std::string const& id) const { return log::read_file(disk_, file_of(id)); }

// Not synced: what a crash undoes is delivered once more, and known by its id.
Result<void> ReportSpool::mark_delivered(std::string const& id) {
    std::lock_guard guard(mutex_);
    TRY_VOID(disk_.make_directories(delivered_directory()));
    TRY_VOID(disk_.rename(file_of(id), delivered_file_of(id)));
    if (auto const left = waiting_.load(std::memory_order_relaxed); left > 0) waiting_.store(left - 1, std::memory_order_relaxed);
    return prune(delivered_directory(), false);
}

std::optional<std::string> ReportSpool::find(std::string_view id) const {
    if (!keeps() || !is_report_id(id)) return {};
    auto const former = former_ + "/" + std::string(id) + std::string(suffix);
    for (auto const& file : {file_of(id), delivered_file_of(id), former}) {
        auto there = disk_.exists(file);
        if (!there || !*there) continue;
        if (auto text = log::read_file(disk_, file)) return std::move(*text);
    }
    return {};
}

}  // namespace gantry::runtime
