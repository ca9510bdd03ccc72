#pragma once
#include "kernel/service.h"

// The services that the simulation runs: a shop that takes orders, has them paid outside and reminds of each once; and a ledger that
// follows it.
namespace gantry::sim {

namespace shop {

using OrderId = Id<"o_">;
using CustomerId = Id<"c_">;
struct Ordered {
    OrderId id;
    CustomerId customer;
    std::int64_t cents = 0;
    Time remind_at;
    Str note;  // of some kilobytes, so that the log fills its segments
};
RECORD(Ordered, id, customer, cents, remind_at, note);
struct Paid {
    OrderId id;
};
RECORD(Paid, id);
struct Reminded {
    OrderId id;
    Time due;
};
RECORD(Reminded, id, due);
struct Charge {
    OrderId order;
    std::int64_t cents = 0;
};
RECORD(Charge, order, cents);
using Event = std::variant<Ordered, Paid, Reminded, Effect<Charge>, EffectOutcome>;

struct Order {
    OrderId id;
    CustomerId customer;
    std::int64_t ordered = 0, paid = 0, reminded = 0, early = 0;  // how often; `early`: before its time
};
RECORD(Order, id, customer, ordered, paid, reminded, early);
struct Customer {
    CustomerId id;
    std::int64_t orders = 0, cents = 0;
};
RECORD(Customer, id, orders, cents);

struct State {
    Table<OrderId, Order> orders;
    Table<CustomerId, Customer> customers;
    Due<OrderId> reminders;
    Outbox outbox;
    void apply(Ordered const& e);
    void apply(Paid const& e);
    void apply(Reminded const& e, At const& at);
};
STATE(State, orders, customers, reminders, outbox);

struct NewOrder {
    OrderId id;
    CustomerId customer;
    std::int64_t cents = 0;
    std::int64_t remind_s = 0;
    Str note;
};
RECORD(NewOrder, id, customer, cents, remind_s, note);

struct Service {
    using State = shop::State;
    using Event = shop::Event;
    struct Settings {
        static constexpr bool has_defaults = true;
        Duration keep = Duration::days(36500);
        BOOST_DESCRIBE_CLASS(Settings, (), (keep), (), ())
    };
    static constexpr std::string_view name = "shop";
    static std::vector<Route> routes();
    static std::vector<Timer> timers();
    static std::vector<EffectKind> effects();
    static std::vector<std::pair<std::string_view, std::string_view>> settings_docs() { return {{"keep", "How long the log keeps."}}; }
    static std::optional<Duration> retention(Settings const& settings) { return settings.keep; }
};

}  // namespace shop

namespace ledger {

struct Entered {
    shop::CustomerId customer;
    std::int64_t cents = 0;
};
RECORD(Entered, customer, cents);
using Event = std::variant<Entered>;
struct Line {
    shop::CustomerId customer;
    std::int64_t orders = 0, cents = 0;
};
RECORD(Line, customer, orders, cents);
struct State {
    Table<shop::CustomerId, Line> lines;
    void apply(Entered const& e);
};
STATE(State, lines);

struct Service {
    using State = ledger::State;
    using Event = ledger::Event;
    static constexpr std::string_view name = "ledger";
    static std::vector<Route> routes();
    static std::vector<Follower> followers();
};

}  // namespace ledger
}  // namespace gantry::sim
