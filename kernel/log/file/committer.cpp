#include "kernel/log/file/committer.h"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace gantry::log {
namespace {
using SteadyTime = std::chrono::steady_clock::time_point;
constexpr auto linger_min = std::chrono::microseconds(10), linger_max = std::chrono::microseconds(100);
constexpr auto space_retry = std::chrono::seconds(1);
constexpr int exit_io_error = 74;  // EX_IOERR of sysexits.h
}  // namespace

void Committer::end_process(Problem const& problem) {
    fmt::print(stderr, "gantry: the log can't be written, so nothing more is answered: {}\n",
               problem.cause.empty() ? problem.detail : problem.cause);
    std::fflush(nullptr);
    std::_Exit(exit_io_error);
}

Committer::Committer(Mode mode, Fatal fatal) : mode_(mode), fatal_(std::move(fatal)) {
    if (mode_ == Mode::manual) return;
    for (int i : {0, 1}) lanes_[i].thread = std::thread([this, i] { run(i); });
}

Committer::~Committer() {
    for (auto& lane : lanes_) {
        {
            std::lock_guard lock(lane.mutex);
            lane.stop = true;
        }
        lane.wake.notify_all();
        if (lane.thread.joinable()) lane.thread.join();
    }
}

void Committer::add(Client& client) {
    std::lock_guard lock(clients_mutex_);
    clients_.push_back(&client);
}

void Committer::remove(Client& client) {
    {
        std::lock_guard lock(clients_mutex_);
        std::erase(clients_, &client);
    }
    for (auto& lane : lanes_) {
        std::unique_lock lock(lane.mutex);
        lane.waiting -= std::erase(lane.queue, &client);
        lane.idle.wait(lock, [&] { return lane.busy != &client; });
        lane.waiting -= std::erase(lane.queue, &client);
    }
}

void Committer::wake(int index, Client& client) {
    if (client.queued_[index].exchange(true)) return;  // it will be run, and sees what was added before
    Lane& lane = lanes_[index];
    bool asleep;
    {
        std::lock_guard lock(lane.mutex);
        lane.queue.push_back(&client), ++lane.waiting;
        asleep = lane.asleep;
    }
    if (asleep) lane.wake.notify_one();
}

Committer::Client* Committer::take(Lane& lane, int index) {
    if (lane.queue.empty()) return nullptr;
    Client* client = lane.queue.front();
    lane.queue.pop_front(), --lane.waiting;
    client->queued_[index].store(false);
    lane.busy = client;
    return client;
}

void Committer::step(Lane& lane, int index, std::unique_lock<std::mutex>& lock, Client& client) {
    lock.unlock();
    bool more = index == 0 ? client.commit_group() : client.prepare_spare();
    lock.lock();
    if (more && !client.queued_[index].exchange(true)) lane.queue.push_back(&client), ++lane.waiting;
    lane.busy = nullptr;
    lane.idle.notify_all();
}

// After a group the next one is often a moment away: giving way for so long costs less than falling asleep and being woken.
bool Committer::soon(Lane& lane, std::unique_lock<std::mutex>& lock) {
    lock.unlock();
    auto const until = std::chrono::steady_clock::now() + lane.linger;
    while (lane.waiting.load(std::memory_order_acquire) == 0 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    lock.lock();
    return !lane.queue.empty() || lane.stop;
}

void Committer::run(int index) {
    pthread_setname_np(pthread_self(), index == 0 ? "log-commit" : "log-spare");
    Lane& lane = lanes_[index];
    lane.linger = linger_max;
    std::unique_lock lock(lane.mutex);
    while (!lane.stop) {
        if (Client* client = take(lane, index)) {
            step(lane, index, lock, *client);
            continue;
        }
        SteadyTime const idle_from = std::chrono::steady_clock::now();
        if (index == 0 && soon(lane, lock)) continue;
        lane.asleep = true;
        if (index == 0) {
            lane.wake.wait(lock);
            // Worth waiting for the next time, or in vain and shorter then.
            bool const was_near = std::chrono::steady_clock::now() - idle_from <= linger_max + linger_max / 2;
            lane.linger = was_near ? linger_max : std::max(lane.linger / 2, linger_min);
        } else if (lane.wake.wait_for(lock, space_retry) == std::cv_status::timeout) {
            lock.unlock(), retry_missing(), lock.lock();
        }
        lane.asleep = false;
    }
}

void Committer::retry_missing() {
    std::lock_guard lock(clients_mutex_);
    for (auto* client : clients_)
        if (client->spare_is_missing()) wake_prepare(*client);
}

bool Committer::run_commit() {
    std::unique_lock lock(lanes_[0].mutex);
    Client* client = take(lanes_[0], 0);
    if (client) step(lanes_[0], 0, lock, *client);
    return client != nullptr;
}

bool Committer::run_prepare() {
    std::unique_lock lock(lanes_[1].mutex);
    Client* client = take(lanes_[1], 1);
    if (client) step(lanes_[1], 1, lock, *client);
    return client != nullptr;
}

}  // namespace gantry::log
