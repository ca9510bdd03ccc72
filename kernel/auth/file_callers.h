#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <string_view>

#include "kernel/auth/callers.h"

namespace gantry::auth {

// The callers of callers.json, held in memory: looking up takes a pointer under a lock and a hash.
class FileCallers final : public CallerDirectory {
   public:
    // Problems: see parse_callers().
    static Result<std::unique_ptr<FileCallers>> make(std::string_view text);
    ~FileCallers() override;

    struct Reloaded {
        std::size_t kept = 0, made = 0, ended = 0;
    };
    // Takes a new text; what is wrong with it leaves everything as it was. Who didn't change keeps its Caller. Whose traits changed, or
    // lost a credential (removed, revoked, its end moved), gets a new one with the same limiter, and the old one is ended; so is that of
    // one who is gone or disabled.
    Result<Reloaded> reload(std::string_view text);

    Result<Identity> by_token(std::string_view token, Time now) const override;
    Result<Identity> by_certificate(std::span<std::string_view const> names, Time now) const override;
    Result<Identity> by_name(std::string_view name, Time now) const override;
    Result<Identity> by_password(std::string_view name, std::string_view password, Time now) const override;
    std::uint64_t generation() const override { return generation_.load(std::memory_order_acquire); }
    bool has_callers() const override;

   private:
    struct Table;
    FileCallers();
    std::shared_ptr<Table const> table() const;
    mutable std::mutex mutex_;
    std::shared_ptr<Table const> table_;  // guarded by mutex_
    std::atomic<std::uint64_t> generation_ = 1;
    std::atomic<bool> had_callers_ = false;
};

}  // namespace gantry::auth
