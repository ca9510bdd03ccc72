#pragma once
#include <optional>
#include <string>
#include <vector>

#include "kernel/config/flags.h"
#include "kernel/runtime/flags.h"

// What the routes of feature flags take and give, for whoever answers or asks.
namespace gantry::runtime {

struct FlagShown {
    std::string name;
    bool declared = true;
    std::string domain, doc, default_value, owner;
    std::optional<Time> expires;
    bool expired = false;
    bool read_undeclared = false;  // the code reads it, and nobody says what it is
    std::vector<flags::Rule> rules;
};
RECORD(FlagShown, name, declared, domain, doc, default_value, owner, expires, expired, read_undeclared, rules);
struct FlagsShown {
    std::uint64_t version = 0;
    std::vector<FlagShown> items;
};
RECORD(FlagsShown, version, items);
struct FlagShownAlone {
    std::uint64_t version = 0;
    FlagShown flag;
};
RECORD(FlagShownAlone, version, flag);
struct FlagHistory {
    std::vector<FlagChange> items;      // the newest first
    std::optional<std::uint64_t> next;  // ?before= of the next page
    bool complete = true;
};
RECORD(FlagHistory, items, next, complete);

struct FlagChangeAsked {
    Text<1, 1000> comment;
    std::vector<flags::FlagRules> flags;
    std::optional<std::uint64_t> undo, if_version;
};
RECORD(FlagChangeAsked, comment, flags, undo, if_version);

struct FlagSubject {
    static constexpr bool has_defaults = true;
    std::string user;
    std::vector<std::string> teams;
    std::string site, service;
};
RECORD(FlagSubject, user, teams, site, service);
struct FlagDryRunAsked {
    std::vector<flags::FlagRules> flags;
    std::vector<FlagSubject> subjects;
};
RECORD(FlagDryRunAsked, flags, subjects);
struct FlagAffected {
    std::uint64_t subject = 0;  // which of those that were asked for, from 0
    std::string user, flag, before, after, before_scope, after_scope;
};
RECORD(FlagAffected, subject, user, flag, before, after, before_scope, after_scope);
struct FlagDryRun {
    std::uint64_t subjects = 0;
    std::vector<FlagAffected> affected;
};
RECORD(FlagDryRun, subjects, affected);

}  // namespace gantry::runtime
