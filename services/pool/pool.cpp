#include "services/pool/pool.h"

#include "services/pool/alerts.h"
#include "services/pool/bound.h"
#include "services/pool/drain.h"
#include "services/pool/dynamic.h"
#include "services/pool/foreign.h"
#include "services/pool/history.h"
#include "services/pool/inventory.h"

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
    return {effect<Service>(&put_clean_task, &clean_task_put),
            effect<Service>(&ask_inventory, &inventory_told, of_hooks),
            effect<Service>(&ask_verification, &verification_told, of_hooks),
            effect<Service>(&make_one, &one_made, of_hooks),
            effect<Service>(&destroy_one, &one_destroyed, of_hooks),
            effect<Service>(&call_alert, &alert_called, of_hooks)};
}

std::vector<Follower> Service::followers() { return {follow<Service, queue::Source>(&on_task_done, &on_task_failed, &on_tasks_deleted)}; }

namespace {

void add_foreign(std::vector<Route>& routes) {
    Scope const read{"pool:read"}, write{"pool:write"}, admin{"pool:admin"};
    ForeignOptions const boskos{.refused = &refuse_boskos}, ppa{.refused = &refuse_ppa};
    routes.push_back(
        foreign<Service>("POST", "/boskos/acquire", &parse_boskos_acquire, &boskos_acquire, write, Doc{"Boskos: take one."}, boskos));
    routes.push_back(foreign<Service>("POST", "/boskos/acquirebystate", &parse_boskos_acquire_by_state, &boskos_acquire_by_state, write,
                                      Doc{"Boskos: take a set by names."}, boskos));
    routes.push_back(
        foreign<Service>("POST", "/boskos/release", &parse_boskos_release, &boskos_release, write, Doc{"Boskos: give one back."}, boskos));
    routes.push_back(foreign<Service>("POST", "/boskos/update", &parse_boskos_update, &boskos_update, write,
                                      Doc{"Boskos: its holder is alive."}, boskos));
    routes.push_back(foreign<Service>("POST", "/boskos/reset", &parse_boskos_reset, &boskos_reset, admin,
                                      Doc{"Boskos: take back what nobody was heard of."}, boskos));
    routes.push_back(foreign<Service>("GET", "/boskos/metric", &parse_boskos_metric, &boskos_metric, read,
                                      Doc{"Boskos: counts by state and by owner."}, boskos));
    routes.push_back(foreign<Service>("GET", "/ppa/api/v1/ppa", &parse_ppa_list, &ppa_list, read, Doc{"PPA assigner: the archives."}, ppa));
    routes.push_back(foreign<Service>("POST", "/ppa/api/v1/ppa", &parse_ppa_reserve, &ppa_reserve, write,
                                      Doc{"PPA assigner: an archive for a ticket."}, ppa));
    routes.push_back(foreign<Service>("PATCH", "/ppa/api/v1/ppa", &parse_ppa_populate, &ppa_populate, admin,
                                      Doc{"PPA assigner: import the archives."}, ppa));
    routes.push_back(foreign<Service>("PATCH", "/ppa/api/v1/ppa/{name}", &parse_ppa_release, &ppa_release, write,
                                      Doc{"PPA assigner: give an archive back."}, ppa));
}

}  // namespace

std::vector<Route> Service::routes() {
    Scope const read{"pool:read"}, write{"pool:write"}, clean{"pool:clean"}, admin{"pool:admin"};
    std::vector<Route> routes{
        route<Service>(V1, "PUT", "/types/{type}", &put_type, admin, Doc{"Make a type, or change what is said of its settings."}),
        route<Service>(V1, "GET", "/types", &list_types, read, Doc{"The types, with their numbers."}),
        route<Service>(V1, "GET", "/types/{type}", &show_type, read, Doc{"One type: settings, counts by state, means, its inventory."}),
        route<Service>(V1, "DELETE", "/types/{type}", &remove_type, admin, Doc{"Remove a type that nothing is of."}),
        route<Service>(V1, "POST", "/types/{type}/drain", &drain_type, admin,
                       Doc{"Give out none of it any more, or (on: false) again; retire: what becomes free is retired."}),
        route<Service>(V1, "POST", "/drain", &drain_pool, admin, Doc{"The same for all types."}),
        route<Service>(V1, "GET", "/drain", &show_drain, read, Doc{"How far the drained types are."}),
        route<Service>(V1, "GET", "/alerts", &list_alerts, read,
                       Doc{"What needs somebody: what is stuck, in quarantine or in trouble, hooks that fail, types that are exhausted."}),
        route<Service>(V1, "POST", "/types/{type}/inventory/sync", &sync_inventory, admin,
                       Doc{"Ask the inventory hook what there is, and take in what is not known."}),
        route<Service>(V1, "GET", "/forecast/{type}", &forecast, read, Doc{"When it will be exhausted, by the hours of the days before."}),
        route<Service>(V1, "GET", "/resources", &list_resources, read, Doc{"Resources by type, in the order in which they came."}),
        route<Service>(V1, "GET", "/resources/{name}", &show_resource, read, Doc{"One resource."}),
        told<Service, &find_history, &tell_history>(V1, "GET", "/resources/{name}/history", read,
                                                    Doc{"Who had it, and who broke it; the newest first."}, Slow{}),
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
        route<Service>(V1, "POST", "/acquire", &acquire, write,
                       Doc{"Get what a ticket wants, or a place in the line; asked again with wait_ms, wait for its turn."}, Waits{}),
        route<Service>(V1, "GET", "/tickets", &list_tickets, read, Doc{"Tickets in line, the oldest first."}),
        route<Service>(V1, "GET", "/tickets/{ticket}", &show_ticket, read, Doc{"Where a ticket stands."}),
        route<Service>(V1, "GET", "/tickets/{ticket}/why", &why_ticket, read, Doc{"Why it waits, and what would end that."}),
        route<Service>(V1, "DELETE", "/tickets/{ticket}", &withdraw, write, Doc{"Leave the line."}),
        route<Service>(V1, "GET", "/leases", &list_leases, read, Doc{"Leases, the oldest first; over=true: those that are over."}),
        route<Service>(V1, "GET", "/leases/{lease}", &show_lease, read, Doc{"One lease."}),
        route<Service>(V1, "POST", "/leases/{lease}/heartbeat", &heartbeat, write, Doc{"Its holder is alive: it ends later."}),
        route<Service>(V1, "POST", "/leases/{lease}/release", &release, write, Doc{"Give all of it back, or some."}),
        route<Service>(V1, "POST", "/ended", &end_bound, write, Doc{"A job, a login or a trace is over: so is what is bound to it."}),
    };
    add_foreign(routes);
    return routes;
}

}  // namespace gantry::pool
