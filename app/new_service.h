#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/result.h"

namespace gantry::app {

// What was written for a new service, relative to the checkout: new files, then changed ones.
struct NewService {
    std::vector<std::string> made, changed;
};

// Makes services/NAME with facts, state, routes, test and README, its page in the console, and its line in each list that names services.
// `from`: a directory in a checkout of the sources. All or nothing but for a failing disk: everything is checked before anything is
// written. 400 "name_invalid", 400 "no_checkout", 409 "service_exists".
Result<NewService> new_service(std::string const& from, std::string_view name);

}  // namespace gantry::app
