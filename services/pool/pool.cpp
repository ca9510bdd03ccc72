#include "services/pool/pool.h"

#include "services/pool/dynamic.h"

namespace gantry::pool {
namespace {

// After a start, who holds something gets time to be heard.
constexpr Duration lease_grace = Duration::seconds(30);
constexpr EffectOptions of_hooks{.timeout = Duration::seconds(20), .longest_wait = Duration::seconds(60), .attempts_max = 5};

// TIMER: whatever is due but leases.
std::vector<Event> on_time(State const& s, std::uint64_t const& key, Ctx const& cx) {
    Desk desk(s, cx);
    auto const n = key & ((std::uint64_t(1) << 56) - 1);
    switch (Alarm(key >> 56)) {
        case Alarm::resource: resource_due(desk, std::uint32_t(n)); break;
        case Alarm::ticket: ticket_due(desk, n); break;
        case Alarm::type: type_due(desk, std::uint32_t(n)); break;
    }
    return desk.take_events();
}

}  // namespace

std::vector<Timer> Service::timers() {
    return {timer<Service, &State::lease_due>(&lease_expired, lease_grace), timer<Service, &State::due>(&on_time)};
}

std::vector<EffectKind> Service::effects() {
    return {effect<Service>(&put_clean_task, &clean_task_put), effect<Service>(&ask_verification, &verification_told, of_hooks),
            effect<Service>(&make_one, &one_made, of_hooks), effect<Service>(&destroy_one, &one_destroyed, of_hooks)};
}

std::vector<Route> Service::routes() {
    Scope const read{"pool:read"}, write{"pool:write"}, clean{"pool:clean"}, admin{"pool:admin"};
    return {
        route<Service>(V1, "PUT", "/types/{type}", &put_type, admin, Doc{"Make a type, or change what is said of its settings."}),
        route<Service>(V1, "GET", "/types", &list_types, read, Doc{"The types, with their numbers."}),
        route<Service>(V1, "GET", "/types/{type}", &show_type, read, Doc{"One type: settings, counts by state, means, its inventory."}),
        route<Service>(V1, "DELETE", "/types/{type}", &remove_type, admin, Doc{"Remove a type that nothing is of."}),
        route<Service>(V1, "POST", "/types/{type}/drain", &drain_type, admin, Doc{"Give out none of it any more, or (on: false) again."}),
        route<Service>(V1, "POST", "/resources", &add_resource, admin, Doc{"Add a resource."}, Bulk{}),
        route<Service>(V1, "PATCH", "/resources/{name}", &change_resource, admin, Doc{"Change its labels, numbers or data."}),
        route<Service>(V1, "DELETE", "/resources/{name}", &remove_resource, admin, Doc{"Remove it; one that a hook made is destroyed."}),
        route<Service>(V1, "POST", "/resources/{name}/quarantine", &quarantine, admin, Doc{"Give it out no more, until it is freed."}),
        route<Service>(V1, "POST", "/resources/{name}/drain", &drain, admin,
                       Doc{"Give it out no more once it is back, or (on: false) again."}),
        route<Service>(V1, "POST", "/resources/{name}/free", &free_resource, admin,
                       Doc{"End a hold or a quarantine; it is cleaned, unless it is verified."}),
        route<Service>(V1, "POST", "/resources/{name}/hold", &keep, admin, Doc{"Keep back a free one for some time."}),
        route<Service>(V1, "POST", "/resources/{name}/steal", &steal, admin,
                       Doc{"Take it from its holder, uncleaned, for another ticket."}),
        route<Service>(V1, "POST", "/resources/{name}/move", &move_resource, admin, Doc{"Put it into another state of its type."}),
        route<Service>(V1, "POST", "/resources/{name}/clean", &clean_again, admin, Doc{"Have it cleaned, again if need be."}),
        route<Service>(V1, "POST", "/resources/{name}/cleaning", &begin_cleaning, clean, Doc{"A worker begins to clean it."}),
        route<Service>(V1, "POST", "/resources/{name}/cleaning/heartbeat", &cleaning_goes_on, clean, Doc{"It is still at it."}),
        route<Service>(V1, "POST", "/resources/{name}/cleaned", &cleaned, clean, Doc{"It is clean."}),
        route<Service>(V1, "POST", "/resources/{name}/clean_failed", &clean_failed, clean, Doc{"It could not be cleaned this time."}),
        route<Service>(V1, "POST", "/acquire", &acquire, write, Doc{"Get what a ticket wants, or a place in the line."}),
        route<Service>(V1, "DELETE", "/tickets/{ticket}", &withdraw, write, Doc{"Leave the line."}),
        route<Service>(V1, "GET", "/leases", &list_leases, read, Doc{"Leases, the oldest first; over=true: those that are over."}),
        route<Service>(V1, "GET", "/leases/{lease}", &show_lease, read, Doc{"One lease."}),
        route<Service>(V1, "POST", "/leases/{lease}/heartbeat", &heartbeat, write, Doc{"Its holder is alive: it ends later."}),
        route<Service>(V1, "POST", "/leases/{lease}/release", &release, write, Doc{"Give all of it back, or some."}),
    };
}

}  // namespace gantry::pool
