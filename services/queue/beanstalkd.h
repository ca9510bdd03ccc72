#pragma once
#include "services/queue/beanstalkd_desk.h"

// beanstalkd's protocol (1.12), to the letter, on the queue's model (jobs.h). [queue] beanstalkd_listen.
namespace gantry::queue::beanstalkd {

inline constexpr std::size_t line_bytes_max = 224;  // with its end
inline constexpr std::size_t watched_max = 10'000;  // more than that is OUT_OF_MEMORY

// What is remembered of a connection; the desk counts it while it is there.
struct Talk {
    explicit Talk(LinePeer const& peer);
    ~Talk();
    Talk(Talk const&) = delete;
    Talk& operator=(Talk const&) = delete;

    Worker worker;
    std::string used = "default";
    std::vector<std::string> watched{"default"};
    std::vector<std::uint64_t> held;  // what it was given; some may have run out since
    bool is_producer = false, is_worker = false, waits = false;
};

LineSaid parse(Talk& talk, LineIn const& in);
std::string refused(Talk& talk, std::string_view command, Problem const& problem);
// What it holds is given back.
std::optional<LineSaid> closing(Talk& talk);

std::vector<LineCommand> commands();
LineProtocol protocol();

}  // namespace gantry::queue::beanstalkd
