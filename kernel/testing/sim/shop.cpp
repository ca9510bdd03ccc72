#include "kernel/testing/sim/shop.h"

namespace gantry::sim {
namespace shop {

void State::apply(Ordered const& e) {
    orders.change_or_put(e.id, [&](Order& order) { order.id = e.id, order.customer = e.customer, ++order.ordered; });
    customers.change_or_put(e.customer, [&](Customer& c) { c.id = e.customer, ++c.orders, c.cents += e.cents; });
    reminders.set(e.id, e.remind_at);
}
void State::apply(Paid const& e) {
    orders.change(e.id, [](Order& order) { ++order.paid; });
}
void State::apply(Reminded const& e, At const& at) {
    orders.change(e.id, [&](Order& order) { ++order.reminded, order.early += at.time < e.due; });
    reminders.clear(e.id);
}

namespace {

struct ByCustomer {
    CustomerId id;
};
RECORD(ByCustomer, id);

Result<Emit<Order, Event>> order(State const& s, NewOrder const& in, Ctx const& cx) {
    if (s.orders.find(in.id)) return fail(409, "order_there", "there is an order with this id");
    Emit<Order, Event> emit{{Ordered{in.id, in.customer, in.cents, cx.now + Duration::seconds(in.remind_s), in.note}},
                            {in.id, in.customer, 1}};
    emit.events.push_back(Effect<Charge>{cx.fresh("e_"), {in.id, in.cents}});
    return emit;
}
Result<Customer> customer(State const& s, ByCustomer const& in, Ctx const&) {
    auto const* customer = s.customers.find(in.id);
    return customer ? *customer : Customer{in.id};
}
std::vector<Event> remind(State const& s, OrderId const& id, Ctx const&) { return {Reminded{id, *s.reminders.find(id)}}; }
Result<bool> charge(Charge const& charge, Outside& outside) {
    client::Request request{.method = "POST", .target = "http://bank/" + charge.order.str()};
    TRY_VOID(outside.call(std::move(request)));
    return true;
}
std::vector<Event> charged(State const&, Charge const& charge, Result<bool> const& done, Ctx const&) {
    return done ? std::vector<Event>{Paid{charge.order}} : std::vector<Event>{};
}

}  // namespace

std::vector<Route> Service::routes() {
    return {route<Service>(V1, "POST", "/orders", &order, Scope{"shop:write"}, Doc{"Order something."}),
            route<Service>(V1, "GET", "/customers/{id}", &customer, Scope{"shop:read"}, Doc{"What a customer ordered."})};
}
std::vector<Timer> Service::timers() { return {timer<Service, &State::reminders>(&remind)}; }
std::vector<EffectKind> Service::effects() { return {effect<Service>(&charge, &charged, {.attempts_max = 3})}; }

}  // namespace shop

namespace ledger {

void State::apply(Entered const& e) {
    lines.change_or_put(e.customer, [&](Line& line) { line.customer = e.customer, ++line.orders, line.cents += e.cents; });
}

namespace {

struct ByCustomer {
    shop::CustomerId id;
};
RECORD(ByCustomer, id);
Result<Line> line(State const& s, ByCustomer const& in, Ctx const&) {
    auto const* line = s.lines.find(in.id);
    return line ? *line : Line{in.id};
}
Result<std::vector<Event>> on_ordered(State const&, shop::Ordered const& order, At const&, Ctx const&) {
    return std::vector<Event>{Entered{order.customer, order.cents}};
}

}  // namespace

std::vector<Route> Service::routes() {
    return {route<Service>(V1, "GET", "/lines/{id}", &line, Scope{"ledger:read"}, Doc{"What a customer owes."})};
}
std::vector<Follower> Service::followers() { return {follow<Service, shop::Service>(&on_ordered)}; }

}  // namespace ledger
}  // namespace gantry::sim
