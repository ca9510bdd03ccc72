#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "app/import/complaints.h"
#include "app/import/source.h"

// Debian changelogs (deb-changelog(5)):
//
//     hello (2.10-3) unstable; urgency=medium
//
//       * Fix the greeting (Closes: #123, #456; LP: #789).
//
//      -- Ada Lovelace <ada@example.org>  Mon, 26 Dec 2022 16:30:00 +0100
namespace gantry::import {

struct ChangelogEntry {
    std::string source, version;
    std::vector<std::string> distributions;
    std::string urgency;  // lower case; "" if none is given
    bool binary_only = false;
    std::vector<std::uint64_t> closes, launchpad_closes;  // bugs, in the order named
    std::string who;                                      // "Name <email>"
    Time at;
    std::uint64_t line = 0;  // of its heading
};

// "Mon, 26 Dec 2022 16:30:00 +0100" as changelogs have it (RFC 2822; the day may be missing, months may be written out).
std::optional<Time> parse_changelog_date(std::string_view text);
// Whether a file that starts with this line is a Debian changelog.
bool is_changelog_heading(std::string_view line);

// Takes the lines of one changelog in turn and gives its entries. An entry that can't be understood is a complaint at the line that is
// wrong; what tools left between entries (editor settings, RCS keywords, comments) is none, nor is what stands below an entry of before
// July 1997: the format had only just been settled, and older entries have other forms.
class ChangelogParser {
   public:
    ChangelogParser(std::string file, Complaints& complaints, std::function<void(ChangelogEntry)> found)
        : file_(std::move(file)), complaints_(complaints), found_(std::move(found)) {}
    void line(std::string_view text, std::uint64_t number);
    void unreadable_line(std::uint64_t number, std::string_view why);
    void end(std::uint64_t last_line);

   private:
    enum class Expect { heading, trailer, nothing };
    void heading(std::string_view text, std::uint64_t number);
    void trailer(std::string_view text, std::uint64_t number);
    void other(std::string_view text, std::uint64_t number);
    void change(std::string_view text);
    void wrong(std::uint64_t number, std::string_view what);

    std::string file_;
    Complaints& complaints_;
    std::function<void(ChangelogEntry)> found_;
    Expect expect_ = Expect::heading;
    bool spoilt_ = false;  // the entry under way was complained of
    bool old_form_ = false;
    ChangelogEntry entry_;
    std::string changes_;
};

// One report for each distribution that the entry was uploaded to; none for UNRELEASED.
std::vector<Positioned> reports_of(ChangelogEntry const& entry, std::string const& file);

// The uploads that the changelogs of `dir` tell of: those of its packages (dir/*/changelog.Debian.gz, or changelog.gz of a native package;
// folders that are symbolic links are other packages' and left out), oldest first. Problem: file_not_readable.
Result<std::vector<Positioned>> read_changelogs(std::string const& dir, Complaints& complaints);

}  // namespace gantry::import
