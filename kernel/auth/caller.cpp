#include "kernel/auth/caller.h"

#include <fmt/format.h>

namespace gantry::auth {

Caller::Caller(CallerTraits traits, std::shared_ptr<CallerLimiter> limiter)
    : traits_(std::move(traits)),
      id_("u_" + traits_.name),
      limiter_(limiter && limiter->limits() == traits_.limits ? std::move(limiter) : std::make_shared<CallerLimiter>(traits_.limits)) {}

Result<void> Caller::check_origin(Origin const& origin) const {
    if (traits_.addresses.empty() || (origin.known && traits_.addresses.contains(origin.client))) return {};
    return fail(403, "address_refused",
                origin.known ? fmt::format("This caller may not come from {}.", format_address(origin.client))
                             : "This caller may come from some addresses only, and the proxy hides from where it comes.");
}

}  // namespace gantry::auth
