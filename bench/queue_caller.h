#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace gantry::bench {

enum class Step : std::uint8_t { put, reserve, complete };
inline constexpr std::size_t step_count = 3;
inline constexpr std::size_t batch_max = 64;

// Which queue, and what this caller does with it.
struct QueuePlace {
    int port = 0;
    std::string queue;
    std::size_t number = 0;  // of the caller: its name as a worker
    std::size_t batch = 1;   // tasks a step, at most batch_max
    bool consumes = true;    // false: it only puts
    std::string payload;     // of each task: letters only
};

// One caller on a connection of its own: what a client of that kind sends, and what it awaits before it goes on. Each fault ends the
// program.
class QueueCaller {
   public:
    virtual ~QueueCaller() = default;
    virtual int fd() const = 0;
    // Sends what puts `batch` tasks, reserves as many, or completes those that it has. True: there is nothing to await.
    virtual bool begin(Step step) = 0;
    // Reads what came, without waiting. True: the step is done.
    virtual bool ready() = 0;
    // Refused for load: when it is to ask for the same again, and to do so. 0: it is not.
    virtual std::int64_t again_at_ns() const { return 0; }
    virtual void again() {}
};

std::unique_ptr<QueueCaller> call_gantry(QueuePlace const& place);
std::unique_ptr<QueueCaller> call_pool(QueuePlace const& place);
std::unique_ptr<QueueCaller> call_beanstalkd(QueuePlace const& place);
std::unique_ptr<QueueCaller> call_redis(QueuePlace const& place);
std::unique_ptr<QueueCaller> call_rabbitmq(QueuePlace const& place);

}  // namespace gantry::bench
