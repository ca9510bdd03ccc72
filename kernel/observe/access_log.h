#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "kernel/base/time.h"

// One record an answered (or refused) request. The thread that served it copies the record into a ring of its own, without a lock and
// without memory from the heap; LogQueue::drain() writes it as a line.
namespace gantry::observe {

// Views: they live for the call. Empty and 0 are left out of the line (`status`, `sent_bytes` and `duration_us` never are). What is longer
// than its bound in AccessRing::limits is cut.
struct AccessRecord {
    Time at;                  // the line's time: when the answer was done
    std::string_view client;  // address
    std::string_view caller, method, target, request_id, trace_id, service, route, site, user_agent;
    std::string_view refused;  // code of the problem for which it was refused
    std::uint16_t status = 0;
    std::uint8_t http_minor = 1;  // HTTP/1.<this>
    bool tls = false;
    bool target_cut = false;  // set by the ring; the line's target ends with "…"
    std::uint64_t sent_bytes = 0;
    std::uint64_t duration_us = 0;
};

// Of each text, in bytes.
struct AccessLimits {
    std::size_t target = 1024, user_agent = 256, other = 128;
};

// One producer, one consumer.
class AccessRing {
   public:
    static constexpr AccessLimits limits = {};

    // `bytes` is rounded up to a power of two, at least 16 KiB. `wake` is called by the producer, once until the next read, when the
    // ring has become half full; it may be empty.
    explicit AccessRing(std::size_t bytes, std::function<void()> wake = {});

    // The producer's thread only. False: the ring is full, the record is dropped and counted.
    bool add(AccessRecord const& record);
    // Off, add() takes nothing, and says true.
    void set_on(bool on) { on_.store(on, std::memory_order_relaxed); }

    // The consumer's thread only: calls f(AccessRecord const&) with what was there at the call, in order.
    template <class F>
    std::size_t read(F&& f) {
        std::size_t const end = written_.load(std::memory_order_acquire);
        std::size_t at = read_.load(std::memory_order_relaxed), records = 0;
        while (at != end) {
            AccessRecord record;
            at += decode(at, record);
            if (record.method.data() != nullptr) f(std::as_const(record)), ++records;
            read_.store(at, std::memory_order_release);
        }
        woken_.store(false, std::memory_order_relaxed);
        return records;
    }
    std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

   private:
    std::size_t decode(std::size_t at, AccessRecord& out) const;  // the bytes that it took; of padding, `method` has no data
    std::size_t room_for(std::size_t size);
    std::size_t const size_;
    std::unique_ptr<char[]> bytes_;
    std::function<void()> wake_;
    std::atomic<bool> on_{true};
    // Positions count up for ever. Each side has a cache line of its own.
    alignas(64) std::atomic<std::size_t> written_{0};
    std::size_t read_seen_ = 0;  // the producer's
    std::atomic<std::uint64_t> dropped_{0};
    alignas(64) std::atomic<std::size_t> read_{0};
    std::atomic<bool> woken_{false};
};

// Appends `target` with the value of each query parameter whose name speaks of a secret replaced by "***": one that holds token, password,
// passwd, secret, signature, authorization or credential, is "sig" or "auth", or ends in "key" or "keyid"; whatever the case, and
// percent-encoded too.
void append_masked(std::string& out, std::string_view target);

}  // namespace gantry::observe
