#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/record.h"
#include "kernel/base/result.h"
#include "kernel/base/time.h"
#include "kernel/config/current.h"

// Feature flags: text that decides, for each subject anew, what the program does. The rules are set by operators while it runs
// (kernel/runtime/flags.h keeps them); here is what they mean. An unset flag has the default of its declaration, an undeclared one "".
namespace gantry::flags {

// A flag that the code reads. `domain` says what its values are: "boolean", "integer", "text", or "one of a b c".
struct FlagDecl {
    std::string name, domain, doc, fallback, owner;  // fallback: its value where no rule is active
    std::optional<Time> expires = {};                // when it should be gone from the code
};

// Where it is active, the rule of the highest priority gives the flag's value. Scopes: "default" (everywhere), "site:NAME", "team:NAME",
// "user:NAME", "service:NAME", "server:NAME" (host name), "percent:N" (of the users: always the same ones for a flag, and those of 10 are
// among those of 20).
struct Rule {
    std::string scope;
    std::int64_t priority = 0;
    std::string value;
    bool operator==(Rule const&) const = default;
};
RECORD(Rule, scope, priority, value);
struct FlagRules {
    std::string flag;
    std::vector<Rule> rules;
    bool operator==(FlagRules const&) const = default;
};
RECORD(FlagRules, flag, rules);

constexpr std::size_t rules_of_a_flag_max = 100, value_bytes_max = 1000, name_bytes_max = 100, scope_bytes_max = 300;
constexpr std::int64_t priority_max = 1'000'000;

// Puts the rules in order, the highest priority first. 400 "flag_rules_invalid", every fault named: names and scopes that can't be, a
// priority given twice, a value outside of the declared domain.
Result<void> check(FlagRules& rules, FlagDecl const* decl);

// For whom a flag is evaluated. Empty: nobody, none; rules for one aren't active then.
struct Subject {
    std::string_view user = {};
    std::span<std::string const> teams = {};
    std::string_view site = {}, service = {};
};
struct Verdict {
    std::string value;
    std::string scope = {};  // of the rule that gave it; empty: no rule was active
    bool declared = false;
};

// The rules of all flags, made ready for evaluation; constant.
class Rules {
   public:
    // `decls` outlive this.
    Rules() = default;
    Rules(std::span<FlagDecl const> decls, std::span<FlagRules const> all, std::string server);
    // Nothing, of a flag that is neither declared nor set.
    std::optional<Verdict> evaluate(std::string_view flag, Subject const& subject) const;

   private:
    enum class Kind { everywhere, site, team, user, percent, server, service };
    struct Ready {
        Kind kind{};
        std::string name;
        std::int64_t percent = 0;
        Rule rule;
    };
    struct OfFlag {
        FlagDecl const* decl = nullptr;
        std::vector<Ready> rules;
    };
    static Ready ready(Rule const& rule);
    bool active(Ready const& rule, std::string_view flag, Subject const& subject) const;
    std::map<std::string, OfFlag, std::less<>> flags_;
    std::string server_;
};

// What the code reads. Any thread may, without a lock; nothing of it fails. One thread at a time sets.
class FlagSet {
   public:
    FlagSet(std::vector<FlagDecl> decls, std::string server);
    FlagSet(FlagSet const&) = delete;
    ~FlagSet();

    Verdict evaluate(std::string_view flag, Subject const& subject) const;
    std::string text(std::string_view flag, Subject const& subject) const { return evaluate(flag, subject).value; }
    // Empty, "false", "off", "no" and "0" are false; all else is true.
    bool on(std::string_view flag, Subject const& subject) const;
    // A value that is no integer counts as the flag's default, and if that is none, as `otherwise`.
    std::int64_t integer(std::string_view flag, Subject const& subject, std::int64_t otherwise = 0) const;

    void set(std::span<FlagRules const> all);
    // With other rules, what would be: for a dry run.
    Rules with(std::span<FlagRules const> all) const { return {decls_, all, server_}; }

    std::vector<FlagDecl> const& decls() const { return decls_; }
    FlagDecl const* decl(std::string_view flag) const;
    // Read by the code, though nobody declared them; sorted. Remembers undeclared_max of them.
    std::vector<std::string> undeclared() const;
    static constexpr std::size_t undeclared_max = 256;

   private:
    void note_undeclared(std::string_view flag) const;
    std::vector<FlagDecl> decls_;
    std::string server_;
    config::Current<Rules> rules_;
    mutable std::array<std::atomic<std::string const*>, undeclared_max> undeclared_{};
};

}  // namespace gantry::flags
