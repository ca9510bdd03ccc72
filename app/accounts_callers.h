#pragma once
#include <functional>
#include <memory>
#include <string_view>

#include "kernel/config/config.h"
#include "kernel/runtime/front.h"
#include "services/accounts/people.h"

// The accounts as the gate knows callers: tokens, logins and sessions of the service `accounts`, in its state.
namespace gantry::app {

enum class CallersSource { automatic, file, accounts };  // [auth] source
Result<void> check_source(std::string_view text);

struct AccountsCallersParts {
    runtime::Host& host;  // of accounts; outlives this
    auth::CallerDirectory const& file;
    auth::SessionBook& memory;  // of callers of the file
    accounts::Settings settings = {};
    CallersSource source = CallersSource::automatic;
    Clock& clock = system_clock();
    Random& random = system_random();
    std::function<void()> hurry = {};  // may be called from any thread: end_changed() is to be asked
};

// What keeps its promises: a token is looked up in about a microsecond under the service's shared lock; a password is verified outside of
// it, and an unknown login costs what a known one does; whoever had something taken away is ended as soon as end_changed() runs, which the
// service's progress asks for. With CallersSource::automatic the file's callers are known, too, and by themselves open nothing: as long as
// neither has a caller, the site is the open loopback.
std::unique_ptr<runtime::SiteCallers> make_accounts_callers(AccountsCallersParts parts);

// For ProcessOptions::callers, by the configuration; null: the file alone.
runtime::MakeSiteCallers accounts_callers(config::Config const& config);

}  // namespace gantry::app
