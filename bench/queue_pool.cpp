#include "bench/queue_caller.h"
#include "bench/queue_http.h"

namespace gantry::bench {
namespace {

// The pool: acquires one resource of a type, and releases it. Nothing is put.
class Pool final : public QueueCaller {
   public:
    explicit Pool(QueuePlace const& place)
        : http_(place.port), type_(place.queue), name_(fmt::format("{}-{}", place.queue, place.number)) {}
    int fd() const override { return http_.fd(); }
    std::int64_t again_at_ns() const override { return http_.again_at_ns(); }
    void again() override { http_.again(); }

    bool begin(Step step) override {
        step_ = step;
        if (step == Step::put) return true;
        if (step == Step::complete) return http_.send(http_.request(fmt::format("/pool/v1/leases/{}/release", lease_), "{}")), false;
        http_.send(http_.request("/pool/v1/acquire", fmt::format(R"({{"ticket":"{0}-{1}","owner":"{0}","wants":[{{"type":"{2}"}}]}})",
                                                                 name_, ++acquired_, type_)));
        return false;
    }
    bool ready() override {
        if (!http_.ready()) return false;
        if (step_ == Step::complete) return true;
        lease_.clear();
        each_text(http_.body(), "\"lease\":\"", [&](std::string_view lease) { lease_ = lease; });
        if (lease_.empty()) die(fmt::format("pool: none was free: {}", http_.body()));
        return true;
    }

   private:
    QueueHttp http_;
    std::string type_, name_, lease_;
    std::uint64_t acquired_ = 0;
    Step step_ = Step::put;
};

}  // namespace

std::unique_ptr<QueueCaller> call_pool(QueuePlace const& place) { return std::make_unique<Pool>(place); }

}  // namespace gantry::bench
