#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "kernel/base/time.h"

namespace gantry::runtime {

// What a request asks of a busy thread; the earlier ones are refused first: what is long and can be sent again as it is, then what would
// stay or writes, and reads last.
enum class LoadClass : std::uint8_t { bulk, stream, command, read };

struct LoadLimits {
    Duration target = Duration::millis(10);     // what ready work may wait for its turn; 0: nothing is ever refused
    Duration persists = Duration::millis(100);  // and for how long it may wait longer: a burst is no congestion
    Duration calm = Duration::seconds(1);       // without a refusal, until it has to persist anew
};

// Whether one IO thread takes on one more request, by how long ready work waits for its turn there.
//
// A thread serves a request from start to end in one go, so what waits are requests that nobody has read, and refusing one from its head
// costs a hundredth of serving it. So there is no budget to be computed: once the wait has been too long for a while, what comes to its
// turn while it is too long is refused, until those that are left wait no longer than they should. The thread never idles for that, and
// whom it serves gets the answer soon.
//
//  - The wait is that of a marker posted to the thread, behind all that is ready, one at a time: the last one's, or the age of the one
//    under way, whichever is longer.
//  - It is a queue only when several requests had their turn meanwhile; else one of them took long, or the machine gave the thread no
//    processor, and to refuse somebody would help nobody.
//  - What is too long: `target`, or twice what a request takes on average where that is longer (some waiting is needed to be busy);
//    that for bulk, twice that for commands and new streams, three times for reads.
//  - A service that takes less than its even share of the thread is refused at twenty times that alone: it doesn't pay for another one.
//
// All on its thread; times are microseconds of one steady clock.
class Congestion {
   public:
    Congestion(std::size_t services, LoadLimits limits) : limits_(limits), busy_us_(services) {}

    // Whether to post a marker now: often enough to know, seldom enough to cost nothing.
    bool wants_marker(std::int64_t now_us) const;
    void marker_posted(std::int64_t now_us);
    void marker_ran(std::int64_t now_us);

    // The head of a request is here, whatever becomes of it.
    void arrived() { ++arrived_since_; }
    // How long what is ready now has waited and will wait, as far as one can know.
    std::int64_t wait_us(std::int64_t now_us) const;
    // Whether anything at all is to be refused now.
    bool is_congested(std::int64_t now_us) const;
    // False: refuse it.
    bool admits(std::int64_t now_us, std::size_t service, LoadClass load);
    // A request of this service took so long.
    void served(std::int64_t now_us, std::size_t service, std::int64_t busy_us);

   private:
    static constexpr std::int64_t window_us = 100'000, marker_gap_us = 5'000, marker_gap_busy_us = 500;
    static constexpr std::int64_t even_factor = 20, mean_factor = 2, queue_length = 8, active_share = 100;
    void turn_windows(std::int64_t now_us);
    std::int64_t base_us() const;
    std::int64_t queued_us(std::int64_t now_us) const;
    bool has_even_share_at_most(std::size_t service) const;
    bool persists(std::int64_t now_us) const;

    LoadLimits const limits_;
    std::vector<std::int64_t> busy_us_;  // by service; halved each window, as are the next two
    std::int64_t busy_total_us_ = 0, count_ = 0;
    std::int64_t window_began_us_ = 0;
    std::int64_t posted_us_ = 0;                   // of the marker under way; 0: none is
    std::int64_t last_posted_us_ = 0;              // of the newest marker
    std::int64_t arrived_since_ = 0;               // that marker was posted
    std::int64_t sampled_us_ = 0, sample_us_ = 0;  // when the last marker ran, and how long it had waited
    bool sample_is_queue_ = false;                 // and whether it was a queue that it waited behind
    std::int64_t over_since_us_ = 0;               // since when each of them waited too long; 0: the last one didn't
    std::int64_t refused_until_us_ = 0;            // until then nothing needs to persist
};

}  // namespace gantry::runtime
