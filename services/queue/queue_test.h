#pragma once
#include <fmt/format.h>

#include "kernel/testing/goldens.h"
#include "kernel/testing/harness.h"
#include "services/queue/queue.h"

// What the queue's tests share.
namespace gantry::queue {

inline constexpr Time noon{1'767'268'800'000'000};  // 2026-01-01T12:00:00Z

class Queue : public Harness<Service> {
   public:
    Queue() { clock().set_wall(noon); }
    explicit Queue(Settings const& settings) : Harness(settings) { clock().set_wall(noon); }

    // `more`: members of the request, as R"("priority":1)".
    Said put(std::string const& more = "", std::string const& queue = "mail") {
        return post("/queue/v1/queues/" + queue + "/tasks", fmt::format(R"({{"payload":{}{}{}}})", ++puts_, more.empty() ? "" : ",", more));
    }
    std::uint64_t put_id(std::string const& more = "", std::string const& queue = "mail") {
        return put(more, queue).template as<PutReply>().id.n;
    }
    Said set(std::string const& settings, std::string const& queue = "mail") {
        return call("PUT", "/queue/v1/queues/" + queue, R"({"settings":{)" + settings + "}}");
    }
    Said reserve(std::string const& more = "", std::string const& queue = "mail") {
        return post("/queue/v1/queues/" + queue + "/reserve", R"({"worker":"w1")" + (more.empty() ? "" : "," + more) + "}");
    }
    std::vector<LeaseView> leases(std::string const& more = "", std::string const& queue = "mail") {
        return reserve(more, queue).ok().template as<Leases>().leases;
    }
    // Numbers of the tasks that one reserve gives.
    std::vector<std::uint64_t> taken(int max = 100, std::string const& more = "", std::string const& queue = "mail") {
        std::vector<std::uint64_t> out;
        for (auto const& lease : leases(fmt::format(R"("max":{}{}{})", max, more.empty() ? "" : ",", more), queue))
            out.push_back(lease.task.n);
        return out;
    }
    // The lease of the next task; empty: there is none.
    std::string lease(std::string const& more = "", std::string const& queue = "mail") {
        auto const found = leases(more, queue);
        return found.empty() ? "" : found[0].lease;
    }
    Said say(std::string const& lease, std::string const& verb, std::string const& body = "{}") {
        return post("/queue/v1/leases/" + lease + "/" + verb, body);
    }
    Said show(std::uint64_t id) { return get(fmt::format("/queue/v1/tasks/t_{}", id)); }
    TaskState state_of(std::uint64_t id) { return show(id).ok().template as<WholeTask>().task.state; }
    QueueView view(std::string const& queue = "mail") { return get("/queue/v1/queues/" + queue).ok().template as<QueueView>(); }
    std::vector<std::uint64_t> list(std::string const& query) {
        std::vector<std::uint64_t> out;
        for (auto const& task : get("/queue/v1/tasks?" + query).ok().template as<Page<TaskView>>().items) out.push_back(task.id.n);
        return out;
    }
    // Time passes, and what it brings about happens.
    Queue& pass(Duration time) {
        advance(time), tick();
        return *this;
    }

   private:
    int puts_ = 0;
};

using Ids = std::vector<std::uint64_t>;

}  // namespace gantry::queue
