#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernel/codec/json.h"
#include "kernel/log/memory/memory_log.h"
#include "kernel/runtime/any_value.h"
#include "kernel/runtime/binding.h"
#include "kernel/runtime/host.h"
#include "kernel/service.h"

namespace gantry::testing {

struct EncodedEvent {
    std::uint32_t type = 0;
    std::string payload;
    bool operator==(EncodedEvent const&) const = default;
};

struct Reply {
    int status = 0;
    std::string body, code;
    std::vector<EncodedEvent> wrote;
};

// The part of a Harness that doesn't know its service's types.
class BenchOfOne {
   public:
    // `settings` outlives it; null: the service has none, or its defaults.
    explicit BenchOfOne(runtime::ServiceDecl decl, void const* settings = nullptr);
    virtual ~BenchOfOne();

    Reply ask(std::string_view verb, std::string_view target, std::string_view body);
    void record(std::vector<EncodedEvent> const& events);
    // As after a crash: what the log holds is all that there is.
    void restart();
    // Lets the service record what time alone brings about.
    void tick();
    ManualClock& clock() { return clock_; }
    runtime::Host& host() { return *host_; }
    void expect_wrote(Reply const& reply, std::vector<EncodedEvent> const& expected);
    // `count` random commands, each route as likely as another; none may be answered with 5xx.
    void random_commands(std::uint64_t seed, int count);

   protected:
    void check_laws();
    std::string caller_ = "u_local";

   private:
    friend class Laws;
    struct Asked {
        std::string caller, target;
        bool operator==(Asked const&) const = default;
    };
    std::string shown(std::vector<EncodedEvent> const& events) const;
    std::vector<EncodedEvent> written_after(log::Position position) const;
    void keep_secrets(codec::Type const& type, void const* value);

    ManualClock clock_;
    SeededRandom random_{42};
    runtime::ServiceDecl decl_;
    void const* settings_;
    std::optional<runtime::AnyValue> default_settings_;
    std::shared_ptr<log::MemoryStore> store_ = std::make_shared<log::MemoryStore>();
    std::unique_ptr<log::MemoryLog> log_;
    std::unique_ptr<runtime::Host> host_;
    std::unique_ptr<runtime::RouteTable> routes_;
    std::vector<Asked> reads_;  // each once
    std::vector<std::string> secrets_;
};

}  // namespace gantry::testing
