#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "kernel/auth/caller.h"
#include "kernel/base/random.h"

namespace gantry::auth {

struct SessionLimits {
    Duration idle = Duration::hours(2);         // since it was last used
    Duration absolute = Duration::hours(12);    // since signing in
    std::size_t sessions_max = 10'000;          // the one that was unused for longest makes room
    std::size_t per_caller_max = 20;            // likewise
    Duration ended_told = Duration::hours(24);  // that one was ended, and isn't merely unknown
    std::size_t ended_max = 10'000;
};

struct SessionSeen {
    std::string handle;  // names it in lists; opens nothing
    Time started_at, seen_at, ends_at;
    IpAddress address;   // from which it was last used
    std::string device;  // as the browser called itself; cut after 200 bytes
    bool current = false;
};

// Who is signed in. `start` and the ends may wait until what they record is durable: for a worker's thread. Safe from any thread.
class SessionBook {
   public:
    virtual ~SessionBook() = default;
    // The id, for the cookie: 43 characters of base64url. Its only copy.
    virtual Result<std::string> start(std::shared_ptr<Caller const> caller, IpAddress const& address, std::string_view device,
                                      Time now) = 0;
    // 401 "session_unknown", "session_expired", "session_ended" (someone ended it, or the caller changed). Counts as use. For the thread of
    // the connection.
    virtual Result<Identity> find(std::string_view id, IpAddress const& address, Time now) = 0;
    virtual Result<void> end(std::string_view id, Time now) = 0;
    virtual Result<void> end_one(std::string_view caller_name, std::string_view handle, Time now) = 0;
    virtual Result<void> end_all(std::string_view caller_name, Time now, std::string_view but) = 0;
    virtual std::vector<SessionSeen> list(std::string_view caller_name, std::string_view current_id, Time now) const = 0;
    virtual Duration lifetime() const = 0;  // of a session, at most
};

// Who is signed in to the console: in memory alone, so that a restart signs everyone out. Of an id its hash is kept. Safe from any thread.
class Sessions {
   public:
    static constexpr std::size_t device_bytes_max = 200;
    explicit Sessions(Random& random) : Sessions(random, SessionLimits{}) {}
    Sessions(Random& random, SessionLimits limits) : random_(random), limits_(limits) {}

    // The id, for the cookie: 43 characters of base64url. Its only copy.
    std::string start(std::shared_ptr<Caller const> caller, IpAddress const& address, std::string_view device, Time now);
    // 401 "session_unknown", "session_expired", "session_ended" (someone ended it, or the caller changed: an old id shown again). Counts as
    // use.
    Result<Identity> find(std::string_view id, IpAddress const& address, Time now);

    // Ends one by its id; one by its handle, of the caller's own; all of a caller but the one with the id `but`. What didn't exist is no
    // failure: false, 0.
    bool end(std::string_view id, Time now);
    bool end_one(std::string_view caller_name, std::string_view handle, Time now);
    std::size_t end_all(std::string_view caller_name, Time now, std::string_view but = {});
    // The newest first.
    std::vector<SessionSeen> list(std::string_view caller_name, std::string_view current_id, Time now) const;
    std::size_t size() const;

   private:
    using Hash = std::array<std::uint8_t, 32>;
    struct HashOfHash {
        std::size_t operator()(Hash const& hash) const;
    };
    struct Session {
        std::shared_ptr<Caller const> caller;
        SessionSeen seen;
    };
    using Table = std::unordered_map<Hash, Session, HashOfHash>;
    enum class End { told, silent };
    static Hash hash_of(std::string_view id);
    Time ends_at(Session const& session) const;
    Table::iterator remove(Table::iterator at, Time now, End how);
    void make_room(std::string_view caller_name, Time now);
    template <class Pick>
    std::size_t end_if(Time now, Pick pick);
    Random& random_;
    SessionLimits limits_;
    mutable std::mutex mutex_;
    Table sessions_;
    std::unordered_map<Hash, Time, HashOfHash> ended_;
    std::deque<std::pair<Hash, Time>> ended_oldest_first_;
};

// What a browser calls itself, of at most Sessions::device_bytes_max bytes of plain UTF-8.
std::string cut_device(std::string_view device);

class SessionsInMemory final : public SessionBook {
   public:
    explicit SessionsInMemory(Sessions& sessions) : sessions_(sessions) {}
    Result<std::string> start(std::shared_ptr<Caller const> caller, IpAddress const& address, std::string_view device, Time now) override {
        return sessions_.start(std::move(caller), address, device, now);
    }
    Result<Identity> find(std::string_view id, IpAddress const& address, Time now) override { return sessions_.find(id, address, now); }
    Result<void> end(std::string_view id, Time now) override { return sessions_.end(id, now), Result<void>(); }
    Result<void> end_one(std::string_view caller_name, std::string_view handle, Time now) override {
        return sessions_.end_one(caller_name, handle, now), Result<void>();
    }
    Result<void> end_all(std::string_view caller_name, Time now, std::string_view but) override {
        return sessions_.end_all(caller_name, now, but), Result<void>();
    }
    std::vector<SessionSeen> list(std::string_view caller_name, std::string_view current_id, Time now) const override {
        return sessions_.list(caller_name, current_id, now);
    }
    Duration lifetime() const override { return SessionLimits{}.absolute; }

   private:
    Sessions& sessions_;
};

}  // namespace gantry::auth
