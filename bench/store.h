#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace gantry::bench {

// An ordered store of opaque records, as its users would drive it. Every fault ends the program (tool.h: die).
class Store {
   public:
    virtual ~Store() = default;
    // What an acknowledgement by append() survives, in a few words for the table.
    virtual std::string sync_mode() const = 0;
    // One transaction or pipeline; returns when all of it is as durable as sync_mode says.
    virtual void append(std::span<std::string const> batch) = 0;
    // Every record from the first on, in order. The view lives until the visitor returns.
    using Visitor = std::function<void(std::string_view)>;
    virtual void replay(Visitor const& visit) = 0;
};

// `directory` exists and is empty or was filled by this store; `port` is where a server listens, for those that are one.
std::unique_ptr<Store> open_gantry(std::string const& directory, int port);
std::unique_ptr<Store> open_bare(std::string const& directory, int port);
std::unique_ptr<Store> open_sqlite(std::string const& directory, int port);
std::unique_ptr<Store> open_lmdb(std::string const& directory, int port);
std::unique_ptr<Store> open_redis(std::string const& directory, int port);
std::unique_ptr<Store> open_nats_ordered(std::string const& directory, int port);
std::unique_ptr<Store> open_nats_pull(std::string const& directory, int port);

}  // namespace gantry::bench
