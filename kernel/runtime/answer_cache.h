#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/hash.h"
#include "kernel/http/server.h"
#include "kernel/runtime/host.h"

namespace gantry::runtime {

// The newest answers of one IO thread, by who may see them (Edge::Caller::name) and request target: a GET whose keys nobody touched since
// is answered without the service's lock and without allocating. An answer may depend on the time of day, so none is older than a second.
// Not for sharing between threads.
class AnswerCache {
   public:
    static constexpr std::size_t entries = 1024;  // direct-mapped: a newer answer takes the place of an older one
    static constexpr std::size_t body_bytes_max = 64 << 10;
    static constexpr std::size_t bytes_max = 8 << 20;
    static constexpr std::int64_t keep_ns = 1'000'000'000;

    struct Entry {
        std::string caller, target, body, etag, position;
        std::string prepared;  // what follows the Date of a 200 that isn't compressed; empty: put it together each time
        Host const* host = nullptr;
        RouteDecl const* route = nullptr;
        Seen seen;
        std::int64_t made_at_ns = 0;
    };

    // Null when there is none that is right now.
    Entry const* find(std::string_view caller, std::string_view target, std::int64_t now_ns) const {
        auto const* entry = slots_[slot_of(caller, target)].get();
        if (!entry || entry->target != target || entry->caller != caller || now_ns - entry->made_at_ns >= keep_ns ||
            !entry->host->unchanged(entry->seen))
            return nullptr;
        return entry;
    }
    void keep(std::string_view caller, std::string_view target, Host const& host, RouteDecl const& route, Seen const& seen,
              std::string body, std::string etag, std::string position, std::int64_t now_ns) {
        if (body.size() > body_bytes_max) return;
        if (bytes_ + body.size() > bytes_max) clear();
        auto& slot = slots_[slot_of(caller, target)];
        if (!slot) slot = std::make_unique<Entry>();
        bytes_ += body.size() - slot->body.size();
        slot->caller = caller, slot->target = target, slot->body = std::move(body), slot->etag = std::move(etag),
        slot->position = std::move(position);
        slot->prepared = prepare(*slot, route);
        slot->host = &host, slot->route = &route, slot->seen = seen, slot->made_at_ns = now_ns;
    }
    void clear() {
        for (auto& slot : slots_) slot.reset();
        bytes_ = 0;
    }

   private:
    static std::string prepare(Entry const& entry, RouteDecl const& route) {
        if (route.deprecated) return {};
        std::string out = "Content-Type: application/json\r\nETag: " + entry.etag + "\r\nGantry-Position: " + entry.position +
                          "\r\nCache-Control: no-cache\r\n";
        if (entry.body.size() >= http::compress_from_bytes) out += "Vary: Accept-Encoding\r\n";
        return out + "Content-Length: " + std::to_string(entry.body.size()) + "\r\n\r\n" + entry.body;
    }
    static std::size_t slot_of(std::string_view caller, std::string_view target) {
        auto const hash = hash64(target);
        return (caller.empty() ? hash : mix64(hash ^ hash64(caller))) & (entries - 1);
    }
    std::vector<std::unique_ptr<Entry>> slots_{entries};
    std::size_t bytes_ = 0;
};

}  // namespace gantry::runtime
