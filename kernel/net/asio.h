#pragma once
// Asio behind IoThreads, for the .cpp files of kernel/net and kernel/http. Not for headers.
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "kernel/net/net.h"

namespace gantry::net {

// One event loop. Its io_context has no locks at all (the unsafe hint is worth several percent of a request), so everything that
// comes from other threads goes through `inbox`, and the eventfd wakes the loop when the inbox was empty.
class Loop : public std::enable_shared_from_this<Loop> {
   public:
    Loop();
    ~Loop();
    void post(Task task);
    void listen();  // on the loop's thread
    void run_inbox();
    void close();  // any thread: ends the loop, drops what is posted later

    boost::asio::io_context context{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE};
    std::thread thread;

   private:
    void wake();
    boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type> wake_{context};
    int wake_fd_;
    std::mutex mutex_;
    std::vector<Task> inbox_;    // guarded by mutex_
    bool closed_ = false;        // guarded by mutex_
    std::vector<Task> running_;  // the loop's thread alone
    std::uint64_t wake_count_ = 0;
};

struct IoThreads::Impl {
    std::vector<std::shared_ptr<Loop>> loops;
    std::shared_ptr<void> signal_hub;  // goes before the loops
    int signal_fd = -1;
    bool stopped = false;
};

inline boost::asio::io_context& context_of(IoThreads& threads, int index) { return threads.impl().loops[std::size_t(index)]->context; }

}  // namespace gantry::net
