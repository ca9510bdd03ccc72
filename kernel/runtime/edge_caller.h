#pragma once
#include <fmt/format.h>

#include <memory>
#include <string>
#include <string_view>

#include "kernel/auth/caller.h"
#include "kernel/state/tracking.h"

namespace gantry::runtime {

// Who calls, as routes see it: with whose eyes rows are read, and what may be asked. What is kept of answers goes by `view`, which two
// callers have in common only if they see the same.
struct EdgeCaller {
    Viewer viewer;
    std::string view = {};                            // empty: everyone's
    std::shared_ptr<auth::Caller const> caller = {};  // null: the open loopback, where everyone may do everything, or nobody known
    bool operates = false;   // the operator of the process: everyone of the open loopback, or with the token of this run
    bool anonymous = false;  // may ask what is open to all

    bool allows(std::string_view scope) const { return scope.empty() || (caller ? caller->scopes().allow(scope) : !anonymous); }
    // A caller of whom it was revoked what it showed, or what it may.
    bool is_ended() const { return caller && caller->is_ended(); }
};
using EdgeCallerRef = std::shared_ptr<EdgeCaller const>;

// By length, so that no name of a team can be taken for two.
inline EdgeCaller seen_by(Viewer viewer) {
    EdgeCaller out{std::move(viewer)};
    fmt::format_to(std::back_inserter(out.view), "{}:{}:{}", int(out.viewer.sees_all), out.viewer.id.size(), out.viewer.id.view());
    for (auto const& team : out.viewer.teams) fmt::format_to(std::back_inserter(out.view), ":{}:{}", team.size(), team.view());
    return out;
}

// The open loopback mode of DESIGN §9.
inline EdgeCallerRef local_caller() {
    static auto const local = [] {
        EdgeCaller everyone{Viewer{Str("u_local")}};
        everyone.operates = true;
        return std::make_shared<EdgeCaller const>(std::move(everyone));
    }();
    return local;
}

// A stream's last word where its caller was changed, disabled or removed.
inline Problem caller_ended() { return {401, "caller_ended", "the rights of this caller were changed: say again who you are"}; }

// What is of the process as a whole isn't for the callers of one tenant.
inline Problem of_another_site() {
    return {403, "site_not_first", "this is about all sites: it is for callers of the first one, and for the operator of this machine"};
}

// 401 "credentials_missing" for nobody, 403 "scope_missing" for one who may do other things.
inline Problem may_not(EdgeCaller const& caller, std::string_view scope) {
    if (caller.anonymous)
        return {401, "credentials_missing",
                fmt::format("this asks for the scope {}: say who you are, with a token or a name and password", scope)};
    return {403, "scope_missing", fmt::format("this asks for the scope {}, which {} doesn't have", scope, caller.caller->name())};
}

}  // namespace gantry::runtime
