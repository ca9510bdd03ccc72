#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/import/complaints.h"
#include "app/import/dpkg_log.h"
#include "app/import/log_files.h"
#include "app/import/log_position.h"
#include "app/import/source.h"
#include "app/import/zone.h"

namespace gantry::import {

struct LogSourceOptions {
    std::vector<std::string> files;
    bool follow = false;  // go on with the newest plain file as dpkg writes it, across rotation by rename or by truncation
};

// dpkg's log as reports. What a line means depends on the lines before it, so start_after() reads the log again from its oldest line and
// gives what follows the position. Where the position's line is no longer there, README.md says what happens.
class DpkgLogSource final : public ReportSource {
   public:
    // `zone` and `complaints` outlive it. Problem: file_not_readable.
    static Result<std::unique_ptr<DpkgLogSource>> open(LogSourceOptions options, Zone& zone, Complaints& complaints);

    Result<void> start_after(std::string_view position) override;
    std::optional<Positioned> next() override;
    bool wait_for_more() override;
    std::uint64_t done() const override;
    std::uint64_t total() const override;
    std::uint64_t lines() const { return lines_; }  // read since the start, those before the position too

   private:
    DpkgLogSource(LogSourceOptions options, Zone& zone, Complaints& complaints)
        : options_(std::move(options)), zone_(zone), complaints_(complaints) {}
    Result<void> reopen(std::vector<std::string> const& paths);
    Result<std::uint64_t> lines_before(LogPosition const& wanted);
    PositionFinder::Found find(LogPosition const& wanted, std::uint64_t& before);
    bool next_line();  // text_ is the next complete line; false: none is left
    bool next_file();  // the one after readers_[at_] becomes the current one
    bool renewed();    // the followed file was rotated or truncated, and is read to its end
    std::optional<Positioned> understand();

    LogSourceOptions options_;
    Zone& zone_;
    Complaints& complaints_;
    std::vector<std::unique_ptr<LineReader>> readers_;
    std::size_t at_ = 0;
    std::uint64_t done_before_ = 0;  // bytes of the files before readers_[at_]
    std::optional<FileWatch> watch_;

    DpkgRuns runs_;
    PositionCounter counter_;
    Time previous_;
    std::uint64_t lines_ = 0, skip_ = 0;
    std::string_view text_;
};

}  // namespace gantry::import
