#pragma once
#include <memory>
#include <optional>

#include "kernel/codec/any_value.h"
#include "kernel/codec/seal.h"
#include "kernel/log/memory/memory_log.h"
#include "kernel/runtime/edge.h"
#include "kernel/runtime/text_indexer.h"

namespace gantry::runtime {

// What a reset of a fake replaces: a log, the state folded from it, and the edge in front. Ends on no IO thread.
class FakeWorld {
   public:
    struct Parts {
        ServiceDecl const& decl;
        Clock& clock;
        Random& random;
        void const* settings;
        EdgeOptions edge;
        std::function<void(int lane, std::move_only_function<void()>)> post;
    };
    static Result<std::unique_ptr<FakeWorld>> make(Parts parts) {
        std::unique_ptr<FakeWorld> world(new FakeWorld(std::move(parts)));
        TRY_VOID(world->host_.start());
        return world;
    }
    // The edge says goodbye on the IO threads before the host goes.
    ~FakeWorld() { edge_.reset(); }
    Host& host() { return host_; }
    Edge& edge() { return *edge_; }
    log::MemoryLog& log() { return log_; }

   private:
    explicit FakeWorld(Parts parts)
        : keys_(parts.random),
          sealer_(codec::make_sealer(keys_, parts.random)),
          log_(std::make_shared<log::MemoryStore>(), parts.clock, parts.random, log::Options{},
               codec::encode_event_schema(*parts.decl.event)),
          host_(parts.decl, host_parts(parts)),
          edge_(std::make_unique<Edge>(std::vector<Host*>{&host_}, parts.edge)) {
        if (host_.decl().text) text_.emplace(host_, parts.clock);
    }
    Host::Parts host_parts(Parts& parts) {
        if (!parts.settings && parts.decl.settings) parts.settings = default_settings_.emplace(*parts.decl.settings).get();
        Host::Parts out{log_, parts.clock, parts.random};
        out.sealer = &sealer_, out.settings = parts.settings, out.post = parts.post, out.reports = parts.edge.reports;
        parts.random.fill(out.hash_key);
        return out;
    }
    codec::MemorySubjectKeys keys_;
    codec::Sealer sealer_;
    std::optional<codec::AnyValue> default_settings_;
    log::MemoryLog log_;
    Host host_;
    std::optional<TextAtOnce> text_;
    std::unique_ptr<Edge> edge_;
};

}  // namespace gantry::runtime
