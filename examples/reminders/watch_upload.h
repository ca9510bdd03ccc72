#pragma once
#include <string>

namespace gantry::example {

// Asks the reminders service at `url` to tell when a package has a result; asked again for the same upload it changes nothing. What went
// wrong, or "" if nothing did.
std::string watch_upload(std::string const& url, std::string const& package, std::string const& version);

}  // namespace gantry::example
