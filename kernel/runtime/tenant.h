#pragma once
#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "kernel/codec/any_value.h"
#include "kernel/codec/seal.h"
#include "kernel/log/log.h"
#include "kernel/net/net.h"
#include "kernel/runtime/admin.h"
#include "kernel/runtime/edge.h"
#include "kernel/runtime/effect_runner.h"
#include "kernel/runtime/erasing.h"
#include "kernel/runtime/flags.h"
#include "kernel/runtime/follower.h"
#include "kernel/runtime/here.h"
#include "kernel/runtime/host.h"
#include "kernel/runtime/report_delivery.h"
#include "kernel/runtime/reports.h"
#include "kernel/runtime/text_indexer.h"

// What a process serves, as it lies in memory. Inside kernel/runtime: process.cpp makes it, process_metrics.cpp looks at it.
namespace gantry::runtime {

// One service with all that is its own.
struct Served {
    std::string_view site;
    std::optional<codec::AnyValue> settings;
    std::unique_ptr<log::Log> log;
    std::unique_ptr<log::Snapshots> snapshots;
    std::unique_ptr<Host> host;
    net::Timer due;                         // on the worker's thread
    std::unique_ptr<Followers> followers;   // null: it has none
    std::unique_ptr<EffectRunner> effects;  // null: the service has none
    std::unique_ptr<TextIndexing> text;     // null: it has none
    std::int64_t replay_ns = 0;             // of the start
    std::unique_ptr<std::atomic<bool>> effects_asked = std::make_unique<std::atomic<bool>>(false);
};

// One site with all that is its own: nothing of it is shared with another but threads, the disk and its committer.
struct Tenant {
    std::string name;
    codec::HashKey hash_key{};
    std::unique_ptr<codec::SubjectKeys> keys;
    codec::Sealer sealer;
    std::optional<Reports> reports;
    std::shared_ptr<ReportDelivery> delivery;  // of the thread of reports; null: nobody takes them
    std::unique_ptr<Flags> flags;
    std::optional<Erasing> erasing;
    std::optional<Admin> admin;
    std::deque<Served> served;
    std::optional<Here> here;  // once all of them are made
    std::unique_ptr<Edge> edge;
};

}  // namespace gantry::runtime
