#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "kernel/base/result.h"

namespace gantry::log {

// Writes for all file logs of the process: one thread commits groups of batches, another prepares spare segments, so that zeroing one
// never delays an answer. In manual mode there is no thread: whoever holds the committer calls run_once() (the simulator, tests).
class Committer {
   public:
    enum class Mode { threads, manual };
    // Told of a failed write or sync. By default it prints the cause and ends the process; in a test it may return, and then
    // that log answers nothing more.
    using Fatal = std::function<void(Problem const&)>;

    // What a log gives to be driven by the committer. A client is never run by two threads of one lane at once.
    class Client {
       public:
        virtual bool commit_group() = 0;      // one write and one sync; true: more is waiting
        virtual bool prepare_spare() = 0;     // one spare segment at most; true: more is wanted
        virtual bool spare_is_missing() = 0;  // no space was found; worth another try by and by

       protected:
        friend class Committer;
        ~Client() = default;
        std::atomic<bool> queued_[2] = {false, false};
    };

    explicit Committer(Mode mode = Mode::threads, Fatal fatal = end_process);
    ~Committer();  // all logs are closed or gone before

    void add(Client& client);
    void remove(Client& client);  // returns when no thread is inside of it
    void wake_commit(Client& client) { wake(0, client); }
    void wake_prepare(Client& client) { wake(1, client); }
    void fatal(Problem const& problem) { fatal_(problem); }
    Mode mode() const { return mode_; }

    // Manual mode: one step of one lane; false if nothing was waiting.
    bool run_commit();
    bool run_prepare();
    bool run_once() { return run_commit() || run_prepare(); }

    [[noreturn]] static void end_process(Problem const& problem);

   private:
    struct Lane {
        std::mutex mutex;
        std::condition_variable wake, idle;
        std::deque<Client*> queue;
        std::atomic<std::size_t> waiting = 0;  // queue.size(), readable without the mutex
        Client* busy = nullptr;
        bool asleep = false;
        std::chrono::microseconds linger{};  // before it falls asleep: longer where the last wait for a group was short
        bool stop = false;
        std::thread thread;
    };
    void wake(int lane, Client& client);
    Client* take(Lane& lane, int index);  // under the lane's lock
    void step(Lane& lane, int index, std::unique_lock<std::mutex>& lock, Client& client);
    bool soon(Lane& lane, std::unique_lock<std::mutex>& lock);
    void run(int lane);
    void retry_missing();

    Mode mode_;
    Fatal fatal_;
    Lane lanes_[2];
    std::mutex clients_mutex_;
    std::deque<Client*> clients_;
};

}  // namespace gantry::log
