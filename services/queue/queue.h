#pragma once
#include "services/queue/views.h"

namespace gantry::queue {

// [queue]
struct Settings {
    std::optional<Duration> history;
    Text<0, 100> beanstalkd_listen, beanstalkd_caller, sqs_listen;
    std::vector<std::string> rule_sources;
};
RECORD(Settings, history, beanstalkd_listen, beanstalkd_caller, sqs_listen, rule_sources);

struct Service {
    using State = queue::State;
    using Event = queue::Event;
    using Settings = queue::Settings;
    static constexpr std::string_view name = "queue";
    static constexpr std::string_view doc = "Durable work queues: a task leaves only when its worker says so.";
    static std::vector<Route> routes();
    static std::vector<Timer> timers();
    static std::vector<LineProtocol> lines();
    static std::vector<OwnPort> own_ports() { return {{"sqs"}}; }
    static std::vector<EffectKind> effects();
    static std::vector<Event> tick(State const& s, Ctx const& cx);
    static std::vector<std::pair<std::string_view, std::string_view>> settings_docs();
    static std::optional<Position> needs(State const& s);
    static std::vector<OwnMetric> metrics(State const& s, Time now);
    static std::optional<Duration> retention(Settings const& settings) { return settings.history; }
};

}  // namespace gantry::queue
