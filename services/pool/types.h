#pragma once
#include "services/pool/desk.h"

// Types: what all their resources have in common, and how they fare.
namespace gantry::pool {

struct InventoryView {
    std::optional<Time> read_at;
    std::optional<std::string> code, detail;  // why nothing was taken
    std::uint64_t told = 0, taken = 0, differ = 0, missing = 0;
};
RECORD(InventoryView, read_at, code, detail, told, taken, differ, missing);
// `left`: resources of the type that are not retired; `held` of them by somebody.
struct DrainView {
    Time since;
    bool retire = false;
    std::uint64_t left = 0, held = 0, retired = 0;
};
RECORD(DrainView, since, retire, left, held, retired);
struct TypeView {
    std::string type;
    TypeSettings settings;
    std::map<std::string, std::uint64_t> states;  // resources by state
    std::uint64_t total = 0, held = 0, waiting = 0, stuck = 0, making = 0;
    double utilisation = 0;  // held of those that are not retired or in quarantine
    std::uint64_t leases = 0, expired = 0, broken = 0, clean_failures = 0;
    std::optional<std::uint64_t> held_ms, waited_ms;  // of late
    bool drained = false;
    std::optional<std::string> drain_reason, make_trouble;
    InventoryView inventory;
    std::optional<DrainView> drain;
};
RECORD(TypeView, type, settings, states, total, held, waiting, stuck, making, utilisation, leases, expired, broken, clean_failures, held_ms,
       waited_ms, drained, drain_reason, make_trouble, inventory, drain);

struct TypePut {
    TypeName type;
    std::optional<Bounded<1000, 31'536'000'000>> lease_ms;
    std::optional<Bounded<0, 86'400'000>> heartbeat_ms;
    std::optional<Bounded<1000, 604'800'000>> clean_ms;
    std::optional<Bounded<0, 604'800'000>> dirty_alert_ms, cleaning_alert_ms;
    std::vector<StateRule> states;
    std::optional<Bounded<0, 1'000'000>> quota;
    std::optional<Cleaning> cleaning;
    std::optional<Text<0, 200>> clean_queue;
    std::optional<Bounded<1, 100>> clean_attempts;
    std::optional<Bounded<0, 86'400'000>> clean_wait_ms;
    std::optional<Verification> verification;
    std::optional<Url> verify_url;
    std::optional<Preference> prefer;
    std::optional<Bounded<0, 604'800'000>> patience_ms;
    std::optional<Bounded<0, 100'000>> min, max;
    std::optional<Bounded<0, 31'536'000'000>> lifetime_ms, idle_ms;
    std::optional<Url> alert_url, make_url, destroy_url, inventory_url;
};
RECORD(TypePut, type, lease_ms, heartbeat_ms, clean_ms, dirty_alert_ms, cleaning_alert_ms, states, quota, cleaning, clean_queue,
       clean_attempts, clean_wait_ms, verification, verify_url, prefer, patience_ms, min, max, lifetime_ms, idle_ms, alert_url, make_url,
       destroy_url, inventory_url);
struct ByType {
    TypeName type;
};
RECORD(ByType, type);
struct TypeFilter {
    static constexpr bool has_defaults = true;
    Limit limit = 100;
    std::optional<std::string> cursor;
};
RECORD(TypeFilter, limit, cursor);

TypeView view_of(State const& s, std::uint32_t number, TypeRow const& row);
Result<Emit<TypeView, Event>> put_type(State const& s, TypePut const& in, Ctx const& cx);
Result<Emit<TypeView, Event>> remove_type(State const& s, ByType const& in, Ctx const& cx);
Result<TypeView> show_type(State const& s, ByType const& in, Ctx const& cx);
Result<Page<TypeView>> list_types(State const& s, TypeFilter const& in, Ctx const& cx);
// Who waits for it, and what it lacks, is looked at.
void type_due(Desk& desk, std::uint32_t number);

}  // namespace gantry::pool
