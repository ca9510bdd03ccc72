#include "services/queue/queue.h"

#include "services/queue/beanstalkd.h"
#include "services/queue/keep.h"
#include "services/queue/metrics.h"
#include "services/queue/rules.h"
#include "services/queue/sqs.h"

namespace gantry::queue {

std::vector<std::pair<std::string_view, std::string_view>> Service::settings_docs() {
    return {{"history", "How long the log keeps what became of tasks that have ended, as 30d. Not set: for ever."},
            {"beanstalkd_listen", "ADDR:PORT where beanstalkd's protocol is spoken, as 127.0.0.1:11300. Empty: nowhere."},
            {"beanstalkd_caller", "Whose scopes count for those who come there: the name of a caller. Empty: nobody's."},
            {"sqs_listen", "ADDR:PORT where SQS is spoken, as 127.0.0.1:9324. Empty: nowhere but below /queue/sqs of every listener."},
            {"rule_sources",
             "Whose events rules may make tasks of: services of this site, as /tracker, or URLs of feeds, as "
             "http://host:8080/tracker/v1/events. "
             "Whoever has queue:read sees the payloads."}};
}

std::vector<OwnMetric> Service::metrics(State const& s, Time now) {
    auto out = queue::metrics(s, now);
    rule_metrics(s, out);
    return out;
}

std::optional<Position> Service::needs(State const& s) { return oldest_content(s); }
std::vector<Event> Service::tick(State const& s, Ctx const& cx) { return keep_some_on(s, cx); }

std::vector<EffectKind> Service::effects() {
    return {effect<Service>(&write_again, &written_again, {.at_once = 1}),
            effect<Service>(&read_source, &source_read,
                            {.timeout = Duration::seconds(60), .at_once = std::size_t(waiting_effects_max), .waits = true})};
}

std::vector<LineProtocol> Service::lines() { return {beanstalkd::protocol()}; }

std::vector<Timer> Service::timers() {
    return {
        timer<Service, &State::deadlines>(&lease_expired, Duration::seconds(10)),
        timer<Service, &State::due>(&became_due),
        timer<Service, &State::kept>(&kept_enough),
        timer<Service, &State::slow_lanes>(&lane_free),
        timer<Service, &State::slow_queues>(&queue_free),
        timer<Service, &State::windows>(&unique_free),
        timer<Service, &State::rules_due>(&rule_due),
    };
}

std::vector<Route> Service::routes() {
    Scope const put_scope{"queue:put"}, work{"queue:work"}, read{"queue:read"}, operate{"queue:operate"};
    std::vector<Route> ours{
        route<Service>(V1, "GET", "/queues", &list_queues, read, Doc{"The queues, by name."}),
        route<Service>(V1, "GET", "/queues/{queue}", &show_queue, read, Doc{"One queue: how much it holds, how long tasks wait and run."}),
        route<Service>(V1, "PUT", "/queues/{queue}", &set_queue, operate, Doc{"Make a queue, or set how it treats its tasks."}),
        route<Service>(V1, "DELETE", "/queues/{queue}", &drop_queue, operate, Doc{"Drop an empty queue."}),
        route<Service>(V1, "POST", "/queues/{queue}/pause", &pause, operate, Doc{"Start nothing of it, for a while or until resumed."}),
        route<Service>(V1, "POST", "/queues/{queue}/resume", &resume, operate, Doc{"Start its tasks again."}),
        route<Service>(V1, "POST", "/queues/{queue}/purge", &purge, operate, Doc{"Delete tasks that nobody has, up to `max` at once."}),
        route<Service>(V1, "POST", "/queues/{queue}/kick", &kick, operate, Doc{"Make buried or delayed tasks ready."}),
        route<Service>(V1, "POST", "/queues/{queue}/redrive", &redrive, operate, Doc{"Try dead tasks afresh, here or in another queue."}),
        route<Service>(V1, "GET", "/queues/{queue}/keys", &list_keys, read, Doc{"Its keys, and what holds them back."}),
        route<Service>(V1, "GET", "/queues/{queue}/workers", &list_workers, read, Doc{"Who has tasks of it."}),
        route<Service>(V1, "GET", "/queues/{queue}/next", &next, read, Doc{"What would run next, and why no more would."}),
        route<Service>(V1, "POST", "/queues/{queue}/tasks", &put, put_scope, Doc{"Put a task; many as NDJSON or an array."}, Bulk{}),
        told_command<Service, &reserve, &tell_leases>(V1, "POST", "/queues/{queue}/reserve", work,
                                                      Doc{"Take the next task, or up to `max`; wait for one up to `wait_ms`."}, Waits{}),
        told_command<Service, &reserve_task, &tell_leases>(V1, "POST", "/tasks/{id}/reserve", work, Doc{"Take this task."}),
        route<Service>(V1, "POST", "/leases/complete", &complete, work, Doc{"Tasks are done: many as NDJSON or an array."}, Bulk{}),
        route<Service>(V1, "POST", "/leases/{lease}/complete", &complete, work, Doc{"The task is done, with a result."}),
        route<Service>(V1, "POST", "/leases/{lease}/extend", &extend, work,
                       Doc{"I'm alive: more time, progress, log lines; learns of a cancel."}),
        route<Service>(V1, "POST", "/leases/{lease}/fail", &fail_task, work, Doc{"This attempt came to nothing."}),
        route<Service>(V1, "POST", "/leases/{lease}/release", &release, work, Doc{"Give it back, untried."}),
        route<Service>(V1, "POST", "/leases/{lease}/bury", &bury, work, Doc{"Put it aside until somebody kicks it."}),
        told<Service, &find_tasks, &tell_tasks>(V1, "GET", "/tasks", read, Doc{"Tasks, without taking any."}, Slow{}),
        told<Service, &find_task, &tell_task>(V1, "GET", "/tasks/{id}", read, Doc{"One task, whole, with every attempt."}),
        route<Service>(V1, "GET", "/tasks/{id}/why", &why, read, Doc{"Why it doesn't run, and what runs before it."}),
        route<Service>(V1, "PATCH", "/tasks/{id}", &edit, operate, Doc{"Change what waits: payload, priority, due time."}),
        route<Service>(V1, "DELETE", "/tasks/{id}", &delete_task, operate, Doc{"Delete a task that nobody has."}),
        route<Service>(V1, "POST", "/tasks/{id}/move", &move, operate, Doc{"Into another queue."}),
        route<Service>(V1, "POST", "/tasks/{id}/kick", &kick_task, operate, Doc{"Make a buried, dead or delayed one ready."}),
        route<Service>(V1, "GET", "/rules", &list_rules, read, Doc{"The rules by which events of other services become tasks."}),
        route<Service>(V1, "GET", "/rules/{rule}", &show_rule, read, Doc{"One rule: how far it is, and what is wrong."}),
        route<Service>(V1, "PUT", "/rules/{rule}", &set_rule, operate, Doc{"Make events of another service tasks of a queue."}),
        route<Service>(V1, "DELETE", "/rules/{rule}", &drop_rule, operate, Doc{"Follow that service no longer by this rule."}),
        route<Service>(V1, "POST", "/rules/{rule}/pause", &pause_rule, operate, Doc{"Take no more events until it is resumed."}),
        route<Service>(V1, "POST", "/rules/{rule}/resume", &resume_rule, operate, Doc{"Go on, where it was or elsewhere."}),
        route<Service>(V1, "POST", "/tasks/{id}/cancel", &cancel, operate, Doc{"Delete it, or ask its worker to stop."}),
    };
    for (auto& route : sqs::routes()) ours.push_back(std::move(route));
    return ours;
}

}  // namespace gantry::queue
