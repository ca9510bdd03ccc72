#include "kernel/net/net.h"

#include <sched.h>

#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <csignal>
#include <future>

#include "kernel/base/assert.h"
#include "kernel/net/asio.h"

namespace gantry::net {
namespace asio = boost::asio;
namespace {

thread_local IoThreads::Impl* current_threads = nullptr;
thread_local int current_index = -1;

using LoopTimer =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, asio::io_context::executor_type>;

// Signals: the handler may do next to nothing, so it marks the number and wakes thread 0.
constexpr int signal_count = 65;
std::array<std::atomic<bool>, signal_count> signal_raised;
std::atomic<int> signal_wake_fd{-1};

void signal_handler(int number) {
    int const saved = errno;
    signal_raised[std::size_t(number)].store(true);
    std::uint64_t const one = 1;
    if (int const fd = signal_wake_fd.load(); fd >= 0) (void)!::write(fd, &one, sizeof one);
    errno = saved;
}

struct SignalHub {
    explicit SignalHub(asio::io_context& context) : wake(context) {}
    asio::posix::basic_stream_descriptor<asio::io_context::executor_type> wake;
    std::array<std::function<void()>, signal_count> callbacks;
    void listen(std::shared_ptr<SignalHub> self) {
        wake.async_wait(asio::posix::descriptor_base::wait_read, [this, self](boost::system::error_code ec) {
            if (ec) return;
            std::uint64_t count = 0;
            (void)!::read(wake.native_handle(), &count, sizeof count);
            for (std::size_t i = 0; i < signal_count; ++i)
                if (signal_raised[i].exchange(false) && callbacks[i]) callbacks[i]();
            listen(self);
        });
    }
};

}  // namespace

Loop::Loop() : wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    GANTRY_ASSERT(wake_fd_ >= 0, "no eventfd: out of file descriptors at start");
    wake_.assign(wake_fd_);
}
Loop::~Loop() = default;

void Loop::post(Task task) {
    bool was_empty;
    {
        std::lock_guard lock(mutex_);
        if (closed_) return;
        was_empty = inbox_.empty();
        inbox_.push_back(std::move(task));
    }
    if (was_empty) wake();
}

void Loop::wake() {
    std::uint64_t const one = 1;
    (void)!::write(wake_fd_, &one, sizeof one);
}

void Loop::listen() {
    wake_.async_wait(asio::posix::descriptor_base::wait_read, [this](boost::system::error_code ec) {
        if (ec) return;
        (void)!::read(wake_fd_, &wake_count_, sizeof wake_count_);
        run_inbox();
        listen();
    });
}

// One batch a turn, so that sockets get theirs between batches.
void Loop::run_inbox() {
    {
        std::lock_guard lock(mutex_);
        running_.swap(inbox_);
    }
    for (auto& task : running_) task();
    running_.clear();
}

void Loop::close() {
    post([this] { context.stop(); });
    std::lock_guard lock(mutex_);
    closed_ = true;
}

struct Timer::State {
    std::weak_ptr<Loop> loop;
    std::atomic<bool> cancelled{false};
    LoopTimer* pending = nullptr;  // the loop's thread alone
    Task task;
};

void Timer::cancel() {
    if (!state_ || state_->cancelled.exchange(true)) return;
    if (auto loop = state_->loop.lock())
        loop->post([state = state_] {
            if (state->pending) state->pending->cancel();
        });
}

// Those that this process may run on: more threads would only take turns.
static int processors() {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
}

IoThreads::IoThreads(int count) : impl_(std::make_unique<Impl>()) {
    if (count <= 0) count = std::max(1, processors() - 1);
    for (int i = 0; i < count; ++i) impl_->loops.push_back(std::make_shared<Loop>());
    for (int i = 0; i < count; ++i) {
        Loop& loop = *impl_->loops[std::size_t(i)];
        loop.thread = std::thread([impl = impl_.get(), i, &loop] {
            current_threads = impl, current_index = i;
            loop.listen();
            auto guard = asio::make_work_guard(loop.context);
            loop.context.run();
        });
    }
}

IoThreads::~IoThreads() { stop(); }

int IoThreads::count() const { return int(impl_->loops.size()); }
int IoThreads::current() const { return current_threads == impl_.get() ? current_index : -1; }
void IoThreads::post(int thread, Task task) { impl_->loops[std::size_t(thread)]->post(std::move(task)); }

void IoThreads::run(int thread, Task task) {
    GANTRY_ASSERT(current() < 0, "IoThreads::run from an IO thread would wait for itself");
    auto done = std::make_shared<std::promise<void>>();
    auto waiting = done->get_future();
    post(thread, [done = std::move(done), task = std::move(task)]() mutable {
        task();
        done->set_value();
    });
    try {
        waiting.get();
    } catch (std::future_error const&) {
        // The loop ended first: the task was dropped, as post() says.
    }
}

Timer IoThreads::after(int thread, Duration delay, Task task) {
    auto const& loop = impl_->loops[std::size_t(thread)];
    auto state = std::make_shared<Timer::State>();
    state->loop = loop, state->task = std::move(task);
    auto const due = std::chrono::steady_clock::now() + delay.chrono();
    loop->post([state, due, loop = loop.get()] {
        if (state->cancelled) return;
        auto timer = std::make_unique<LoopTimer>(loop->context, due);
        state->pending = timer.get();
        auto* waiting = timer.get();
        waiting->async_wait([state, timer = std::move(timer)](boost::system::error_code) {
            state->pending = nullptr;
            if (!state->cancelled.exchange(true)) state->task();
            state->task = nullptr;
        });
    });
    return Timer(std::move(state));
}

void IoThreads::every(int thread, Duration period, std::function<void()> task) {
    after(thread, period, [this, thread, period, task = std::move(task)]() mutable {
        task();
        every(thread, period, std::move(task));
    });
}

Result<void> IoThreads::on_signal(int signal, std::function<void()> task) {
    if (signal <= 0 || signal >= signal_count) return fail(500, "signal_failed", "There is no such signal.");
    run(0, [&] {
        if (impl_->signal_fd < 0) {
            impl_->signal_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
            auto hub = std::make_shared<SignalHub>(impl_->loops[0]->context);
            impl_->signal_hub = hub;
            hub->wake.assign(impl_->signal_fd);
            hub->listen(hub);
            signal_wake_fd = impl_->signal_fd;
        }
        static_cast<SignalHub*>(impl_->signal_hub.get())->callbacks[std::size_t(signal)] = std::move(task);
    });
    struct sigaction action{};
    action.sa_handler = signal_handler;
    action.sa_flags = SA_RESTART;
    if (::sigaction(signal, &action, nullptr) != 0) return fail(500, "signal_failed", "This signal can't be handled.");
    return {};
}

void IoThreads::stop() {
    if (std::exchange(impl_->stopped, true)) return;
    GANTRY_ASSERT(current() < 0, "IoThreads::stop from an IO thread would join itself");
    if (impl_->signal_fd >= 0) {
        signal_wake_fd = -1;
        for (int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2}) {
            struct sigaction action{};
            if (::sigaction(number, nullptr, &action) == 0 && action.sa_handler == signal_handler) std::signal(number, SIG_DFL);
        }
    }
    for (auto& loop : impl_->loops) loop->close();
    for (auto& loop : impl_->loops) loop->thread.join();
}

struct TaskGroup::Impl {
    std::mutex mutex;
    std::condition_variable empty;
    int count = 0;
    bool draining = false;
};
TaskGroup::TaskGroup() : impl_(std::make_unique<Impl>()) {}
TaskGroup::~TaskGroup() { GANTRY_ASSERT(in_flight() == 0, "a task group ended before its tasks"); }
bool TaskGroup::enter() {
    std::lock_guard lock(impl_->mutex);
    if (impl_->draining) return false;
    return ++impl_->count, true;
}
void TaskGroup::leave() {
    std::lock_guard lock(impl_->mutex);
    GANTRY_ASSERT(impl_->count > 0, "leave without enter");
    if (--impl_->count == 0) impl_->empty.notify_all();
}
bool TaskGroup::drain(Duration limit) {
    std::unique_lock lock(impl_->mutex);
    impl_->draining = true;
    return impl_->empty.wait_for(lock, limit.chrono(), [this] { return impl_->count == 0; });
}
int TaskGroup::in_flight() const {
    std::lock_guard lock(impl_->mutex);
    return impl_->count;
}

}  // namespace gantry::net
