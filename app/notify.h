#pragma once
#include <chrono>
#include <optional>
#include <string_view>

// What a process tells the manager that started it, by the protocol of sd_notify(3) and systemd.service(5), Type=notify: datagrams of
// "NAME=VALUE" lines to the socket that NOTIFY_SOCKET names, a path or "@name" in the abstract namespace. Without it nothing is sent. Any
// thread; never blocks, never fails: who serves doesn't depend on who watches.
namespace gantry::app {

void notify_status(std::string_view text);  // one line for `systemctl status`: "replaying tracker: 40 %"
void notify_ready(std::string_view url);    // everything is replayed and answers are given; also ends what notify_reloading began
void notify_reloading();                    // SIGHUP came
void notify_stopping();                     // the orderly stop began
void notify_alive();                        // to be sent every watchdog_interval()

// Half of what the manager waits for a sign of life; none where it waits for none of this process.
std::optional<std::chrono::microseconds> watchdog_interval();

}  // namespace gantry::app
