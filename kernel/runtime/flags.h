#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/config/flags.h"
#include "kernel/log/disk.h"
#include "kernel/runtime/admin.h"

namespace gantry::runtime {

// One line of DATA/<site>/flags.ndjson: who gave which flags other rules, and why. Versions count from 1.
struct FlagDiff {
    std::string flag;
    std::vector<flags::Rule> before, after;  // the highest priority first; empty: the flag isn't set
};
RECORD(FlagDiff, flag, before, after);
struct FlagChange {
    std::uint64_t version = 0;
    Time at{};
    std::string who, comment;
    std::optional<std::uint64_t> undoes;
    std::vector<FlagDiff> flags;
};
RECORD(FlagChange, version, at, who, comment, undoes, flags);

// The feature flags of a site: what operators set, and every change of it, for ever. A change is durable before it is in effect. Any
// thread may call anything; what changes rules writes to the disk and belongs on the thread that keeps house. The file holds every change
// and is written anew by each, so it is for the pace of people.
class Flags {
   public:
    struct Parts {
        log::Disk& disk;
        Clock& clock;
        std::string file;  // DATA/<site>/flags.ndjson; empty: in memory alone
        std::vector<flags::FlagDecl> decls;
        std::string server;  // this host's name, for the scope server:NAME
    };
    struct Wanted {
        std::vector<flags::FlagRules> flags;  // instead of the rules that each of them has
        std::string comment;
        std::optional<std::uint64_t> if_version;  // fails unless this is the version still
    };
    static constexpr std::size_t flags_max = 1000, comment_bytes_max = 1000;

    // "flags_damaged" names the line, "disk_failed". Without a file nothing is set.
    static Result<std::unique_ptr<Flags>> open(Parts parts);

    // For the code to read.
    flags::FlagSet const& set() const { return set_; }

    // Problems: 400 "flag_rules_invalid", 400 "request_invalid" without a comment or flags, 412 "precondition_failed", 507 "flags_full",
    // and those of the disk: then the old rules are in effect, and a restart may find the new ones. Where nothing would change, no change
    // is made: the answer has the current version and names no flags.
    Result<FlagChange> change(Wanted wanted, std::string who);
    // A new change that gives the flags of an old one the rules from before it. 404 "flag_change_unknown"; 409 "flag_changed_since" when
    // one of them was changed again after it.
    Result<FlagChange> undo(std::uint64_t version, Wanted const& wanted, std::string who);

    std::uint64_t version() const;
    std::vector<flags::FlagRules> rules(std::optional<Time> as_of = {}) const;  // sorted by flag; those that are set
    std::vector<FlagChange> history() const;                                    // the oldest first
    // The rules as `wanted` would leave them; with the problems of change().
    Result<std::vector<flags::FlagRules>> would_be(Wanted const& wanted) const;
    Time now() const { return parts_.clock.wall(); }

   private:
    explicit Flags(Parts parts) : parts_(std::move(parts)), set_(parts_.decls, parts_.server) {}
    Result<std::vector<FlagDiff>> diff(Wanted const& wanted, std::vector<flags::FlagRules> const& now) const;
    Result<FlagChange> record(FlagChange change, std::optional<std::uint64_t> if_version);
    void warn_of_expired() const;
    Parts parts_;
    flags::FlagSet set_;
    std::mutex changing_;  // held over the disk's work; state_mutex_ never is
    mutable std::mutex state_mutex_;
    std::vector<FlagChange> history_;  // under state_mutex_
};

// GET flags[?as_of=], GET flags/NAME, PUT flags {comment, flags: [{flag, rules}] or undo, if_version}, GET flags-history[?flag=&before=
// &limit=], POST flags-dry-run {flags, subjects}. `who` names the caller.
std::vector<Admin::Route> flag_routes(Flags& flags, std::function<std::string(Admin::Asked const&)> who);

}  // namespace gantry::runtime
