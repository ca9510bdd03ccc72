#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/result.h"

namespace gantry::auth {

// What a caller may do: patterns over SERVICE:WHAT. "*" and "*:*" allow all, "tracker:*" what belongs to the tracker, "*:read" reading
// everywhere, "tracker:write" itself.
class Scopes {
   public:
    static constexpr std::size_t patterns_max = 64;
    static constexpr std::size_t pattern_bytes_max = 100;

    Scopes() = default;  // allows nothing
    // Faults point at the index of each wrong pattern ("/0").
    static Result<Scopes> parse(std::span<std::string const> patterns);
    static bool is_pattern(std::string_view text);

    // Allocates nothing. A scope without ':' is allowed by "*" alone.
    bool allow(std::string_view scope) const;
    // What both allow: the rights of a token that was given less than its account has. At most patterns_max, which allows less, not more.
    static Scopes both(Scopes const& a, Scopes const& b);
    std::vector<std::string> const& patterns() const { return patterns_; }
    bool operator==(Scopes const&) const = default;

   private:
    std::vector<std::string> patterns_;
    bool all_ = false;
};

}  // namespace gantry::auth
