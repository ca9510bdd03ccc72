#pragma once
#include <memory>

#include "bench/costly.h"
#include "kernel/http/server.h"
#include "kernel/runtime/fake_world.h"
#include "kernel/runtime/gate.h"
#include "kernel/runtime/request_book.h"

namespace gantry::bench {

// The service of costly.h on a log in memory, behind gate and edge as in a process, on one IO thread.
class CostlyServer {
   public:
    explicit CostlyServer(runtime::LoadLimits limits) {
        runtime::EdgeOptions options;
        options.threads = &threads_;
        world_ = std::move(
            *runtime::FakeWorld::make({decl_, system_clock(), system_random(), nullptr, options,
                                       [this](int lane, std::move_only_function<void()> task) { server_->post(lane, std::move(task)); }}));
        runtime::RequestBook::Parts parts{.sites = {{"main", world_->edge().targets()}}, .threads = 1, .clock = system_clock()};
        book_ = std::make_unique<runtime::RequestBook>(std::move(parts));
        gate_ = std::make_unique<runtime::Gate>(std::vector<runtime::GateSite>{{"main", &world_->edge()}},
                                                runtime::GateOptions{.book = book_.get(), .threads = &threads_, .load = limits});
        server_ = std::make_unique<http::Server>(threads_, *gate_);
        port = server_->listen({}).value();
    }
    ~CostlyServer() {
        server_->stop(Duration::seconds(5));
        server_.reset();
    }
    // Processor time of the IO thread so far.
    std::int64_t spent_ns() {
        std::int64_t spent = 0;
        threads_.run(0, [&] { spent = costly::spent_ns(); });
        return spent;
    }
    runtime::Gate& gate() { return *gate_; }
    std::uint16_t port = 0;

   private:
    runtime::ServiceDecl const decl_ = runtime::declare<costly::Service>();
    net::IoThreads threads_{1};
    std::unique_ptr<runtime::FakeWorld> world_;
    std::unique_ptr<runtime::RequestBook> book_;
    std::unique_ptr<runtime::Gate> gate_;
    std::unique_ptr<http::Server> server_;
};

}  // namespace gantry::bench
