#pragma once
#include <fmt/format.h>

#include "kernel/testing/goldens.h"
#include "kernel/testing/harness.h"
#include "services/accounts/accounts.h"

// What the tests of accounts share.
namespace gantry::accounts {

inline constexpr Time noon{1'767'268'800'000'000};  // 2026-01-01T12:00:00Z

inline Settings cheap() {
    Settings out;
    out.password_memory_mib = 1, out.password_passes = 1;
    return out;
}

class Accounts : public Harness<Service> {
   public:
    Accounts() : Harness(cheap()) { clock().set_wall(noon); }
    // The id of a new person.
    std::string person(std::string const& email, std::string const& more = {}) {
        return as("u_admin")
            .post("/accounts/v2/users", fmt::format(R"({{"name":"{0}","login":"{0}"{1}}})", email, more))
            .ok(201)
            .json_at("/id");
    }
    std::string service(std::string const& handle, std::string const& owner) {
        return as("u_admin")
            .post("/accounts/v2/users", fmt::format(R"({{"kind":"service","name":"{0}","login":"{0}","owner":"{1}"}})", handle, owner))
            .ok(201)
            .json_at("/id");
    }
};

}  // namespace gantry::accounts
