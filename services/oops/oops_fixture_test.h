#pragma once
#include <fmt/format.h>

#include "kernel/testing/harness.h"
#include "services/oops/oops.h"

namespace gantry::oops {

inline std::string failure(std::string_view id, std::string_view function, std::string_view release = "", std::string_view more = "") {
    return fmt::format(
        R"({{"event_id":"{}","platform":"python","release":"{}",{}"exception":{{"values":[{{"type":"KeyError","value":"'{}'",)"
        R"("stacktrace":{{"frames":[{{"module":"shop.cart","function":"{}","filename":"shop/cart.py","lineno":7,)"
        R"("context_line":"return prices[item]","in_app":true}}]}}}}]}}}})",
        id, release, more, function, function);
}
inline std::string hex_id(int n) { return fmt::format("{:032x}", n + 1); }

class Oops : public ::testing::Test {
   protected:
    explicit Oops(Settings const& settings = {}) : h(settings) {
        project = h.post("/oops/v1/projects", R"({"name":"shop"})").ok(201).as<ProjectView>();
    }
    auto store(std::string const& event) {
        return h.header("X-Sentry-Auth", fmt::format("Sentry sentry_version=7, sentry_key={}", project.key.view()))
            .post("/oops/api/1/store", event);
    }
    // `more`: further members, each with a comma after it.
    void report(int n, std::string_view function = "price_of", std::string_view release = "", std::string_view more = "") {
        store(failure(hex_id(n), function, release, more)).ok().has(hex_id(n));
    }
    Page<GroupView> groups(std::string_view query = "") {
        return h.get(fmt::format("/oops/v1/groups?project=1{}", query)).ok().template as<Page<GroupView>>();
    }
    void configure(std::string const& change) { h.call("PATCH", "/oops/v1/projects/1", change).ok(); }
    Harness<Service> h;
    ProjectView project;
};

}  // namespace gantry::oops
