#include <vector>

#include "bench/queue_caller.h"
#include "bench/queue_http.h"

namespace gantry::bench {
namespace {

// Our own HTTP API; a batch is NDJSON, a line each, and one reservation of as many.
class Gantry final : public QueueCaller {
   public:
    explicit Gantry(QueuePlace const& place) : http_(place.port), batch_(place.batch), worker_(fmt::format("w{}", place.number)) {
        auto const queue = "/queue/v1/queues/" + place.queue;
        auto const task = fmt::format(R"({{"payload":"{}"}})", place.payload);
        std::string lines;
        for (std::size_t i = 0; i < batch_; ++i) lines += task + (batch_ > 1 ? "\n" : "");
        put_ = http_.request(queue + "/tasks", lines);
        reserve_target_ = queue + "/reserve";
    }
    int fd() const override { return http_.fd(); }
    std::int64_t again_at_ns() const override { return http_.again_at_ns(); }
    void again() override { http_.again(); }

    bool begin(Step step) override {
        step_ = step;
        if (step == Step::put) return http_.send(put_), false;
        if (step == Step::reserve) return leases_.clear(), reserve(), false;
        if (batch_ == 1) return http_.send(http_.request(fmt::format("/queue/v1/leases/{}/complete", leases_.front()), "{}")), false;
        std::string lines;
        for (auto const& lease : leases_) lines += fmt::format("{{\"lease\":\"{}\"}}\n", lease);
        return http_.send(http_.request("/queue/v1/leases/complete", lines)), false;
    }

    bool ready() override {
        if (!http_.ready()) return false;
        return step_ == Step::reserve ? reserved() : acknowledged();
    }

   private:
    void reserve() {
        http_.send(
            http_.request(reserve_target_, fmt::format(R"({{"worker":"{}","max":{},"wait_ms":20000}})", worker_, batch_ - leases_.size())));
    }
    bool reserved() {
        each_text(http_.body(), "\"lease\":\"", [&](std::string_view lease) { leases_.emplace_back(lease); });
        if (leases_.size() < batch_) return reserve(), false;
        return true;
    }
    bool acknowledged() const {
        if (batch_ == 1) return true;
        constexpr std::string_view good_status = "\"status\":2";
        std::size_t good = 0;
        std::string_view const body = http_.body();
        for (auto at = place_of(body, good_status); at != body.npos; at = place_of(body, good_status, at + 1)) ++good;
        if (good != batch_) die(fmt::format("gantry: {}", body));
        return true;
    }

    QueueHttp http_;
    std::size_t batch_;
    std::string put_, reserve_target_, worker_;
    Step step_ = Step::put;
    std::vector<std::string> leases_;
};

}  // namespace

std::unique_ptr<QueueCaller> call_gantry(QueuePlace const& place) { return std::make_unique<Gantry>(place); }

}  // namespace gantry::bench
