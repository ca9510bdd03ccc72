#pragma once
#include "services/accounts/facts.h"

// What other services may know of accounts: the name and the facts.
namespace gantry::accounts {

struct Source {
    using Event = accounts::Event;
    static constexpr std::string_view name = "accounts";
};

}  // namespace gantry::accounts
