#pragma once
// A whole process of services, in a thread of the test.
#include <signal.h>

#include <future>
#include <string>
#include <thread>
#include <vector>

#include "app/cli_fixture_test.h"
#include "kernel/runtime/process.h"

namespace gantry::app {

class ServingTest : public testing::Test {
   protected:
    ~ServingTest() override { stop(); }
    void serve(std::vector<runtime::ServiceDecl> services) {
        std::promise<std::string> ready;
        auto url = ready.get_future();
        process_ = std::thread([this, services = std::move(services), ready = std::move(ready)]() mutable {
            runtime::ProcessOptions options;
            options.data_dir = dir_ / "data", options.io_threads = 1, options.services = std::move(services);
            options.front = front_;
            bool said = false;
            options.on_ready = [&](std::string_view text) { said = true, ready.set_value(std::string(text)); };
            auto served = runtime::serve(std::move(options));
            EXPECT_TRUE(served) << served.error().detail;
            if (!said) ready.set_value("");
        });
        url_ = url.get();
    }
    void stop() {
        if (!process_.joinable()) return;
        if (!url_.empty()) ::kill(::getpid(), SIGTERM);
        process_.join();
    }
    Directory dir_;
    runtime::FrontSettings front_;
    std::string url_;  // of what is served; empty: it failed

   private:
    std::thread process_;
};

}  // namespace gantry::app
