#include "app/rehearsal/place.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include "kernel/http/gantry/client.h"
#include "kernel/log/file/tools.h"

namespace gantry::app::rehearsal {
namespace {

namespace fs = std::filesystem;

std::unexpected<Problem> invalid(Wanted const& wanted, std::string_view why) {
    return fail(
        400, "rehearsal_log_invalid",
        fmt::format(
            "--log {}: {}; expected a data directory, the directory of one log, a file of `gantry log export`, or the URL of a server",
            wanted.log, why));
}

bool holds_log(std::string const& directory) {
    auto names = log::system_disk().list(directory);
    return names && std::ranges::any_of(*names, [](auto const& name) { return log::parse_segment_name(name).has_value(); });
}

Result<void> import_export(std::string const& file, std::string const& directory) {
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> in(std::fopen(file.c_str(), "rb"), &std::fclose);
    if (!in) return fail(400, "rehearsal_log_invalid", fmt::format("--log {}: {}", file, std::strerror(errno)));
    auto fill = [&](std::span<char> into) -> Result<std::size_t> {
        auto const n = std::fread(into.data(), 1, into.size(), in.get());
        if (n == 0 && std::ferror(in.get())) return fail(500, "import_unreadable", fmt::format("{}: {}", file, std::strerror(errno)));
        return n;
    };
    TRY_VOID(log::import_log(log::system_disk(), directory, fill, {}, system_clock(), system_random()));
    return {};
}

// Of one that was named, or of the only one.
Result<std::string> service_of(Wanted const& wanted, std::vector<std::string> const& there) {
    if (!wanted.service.empty()) return wanted.service;
    if (there.size() == 1) return there.front();
    return fail(400, "rehearsal_log_invalid",
                fmt::format("--log {}: say whose log is meant, with --service {}", wanted.log, fmt::join(there, " or --service ")));
}

Result<Place> of_export(Wanted const& wanted, std::vector<std::string> const& services) {
    Place place;
    TRY_ASSIGN(place.service, service_of(wanted, services));
    TRY_ASSIGN(place.imported, ScratchDirectory::make());
    place.at.log_directory = place.imported->path() + "/log";
    TRY_VOID(import_export(wanted.log, place.at.log_directory));
    return place;
}

// Copied from a server that goes on writing.
Result<Place> of_server(Wanted const& wanted, std::vector<std::string> const& services) {
    Place place;
    TRY_ASSIGN(place.service, service_of(wanted, services));
    TRY_ASSIGN(place.imported, ScratchDirectory::make());
    auto const file = place.imported->path() + "/export";
    {
        std::unique_ptr<std::FILE, int (*)(std::FILE*)> out(std::fopen(file.c_str(), "wb"), &std::fclose);
        if (!out) return fail(500, "disk_failed", fmt::format("{}: {}", file, std::strerror(errno)));
        client::Session session(wanted.log);
        client::Request request{.target = "/_gantry/v1/logs/" + place.service, .total_timeout_ms = 0};
        request.download = [&](std::string_view bytes) { return std::fwrite(bytes.data(), 1, bytes.size(), out.get()) == bytes.size(); };
        auto const reply = session.send(std::move(request));
        if (!reply.ok())
            return invalid(wanted,
                           fmt::format("the server sends no log of {}: {} {}", place.service, reply.error->code, reply.error->detail));
        if (std::fflush(out.get()) != 0) return fail(500, "disk_failed", fmt::format("{}: {}", file, std::strerror(errno)));
    }
    place.at.log_directory = place.imported->path() + "/log";
    TRY_VOID(import_export(file, place.at.log_directory));
    return place;
}

// …/<site>/<service>/log, as a data directory has it, or a copy of it somewhere.
Result<Place> of_log_directory(Wanted const& wanted, std::vector<std::string> const& services) {
    std::error_code error;
    auto path = fs::weakly_canonical(wanted.log, error);
    if (error) return invalid(wanted, error.message());
    auto const owner = path.parent_path().filename().string();
    Place place;
    bool const known = std::ranges::find(services, owner) != services.end();
    TRY_ASSIGN(place.service, service_of(wanted, known ? std::vector{owner} : services));
    place.at.log_directory = path;
    if (path.filename() == "log" && known) place.at.site_directory = path.parent_path().parent_path();
    return place;
}

Result<Place> of_data_directory(Wanted const& wanted, std::vector<std::string> const& services) {
    auto const site = wanted.log + "/" + wanted.site;
    std::vector<std::string> there;
    for (auto const& service : services)
        if (holds_log(fmt::format("{}/{}/log", site, service))) there.push_back(service);
    if (there.empty()) return invalid(wanted, fmt::format("there is no log of {} below it", fmt::join(services, " or ")));
    Place place;
    TRY_ASSIGN(place.service, service_of(wanted, there));
    if (std::ranges::find(there, place.service) == there.end())
        return invalid(wanted, fmt::format("{} has no log in it, but {} has", place.service, fmt::join(there, " and ")));
    place.at = {fmt::format("{}/{}/log", site, place.service), site};
    return place;
}

}  // namespace

Result<std::unique_ptr<ScratchDirectory>> ScratchDirectory::make() {
    std::error_code error;
    auto path = (fs::temp_directory_path(error) / "gantry-rehearse-XXXXXX").string();
    if (error || !::mkdtemp(path.data()))
        return fail(500, "disk_failed", fmt::format("{}: {}", path, error ? error.message() : std::strerror(errno)));
    return std::unique_ptr<ScratchDirectory>(new ScratchDirectory(std::move(path)));
}

ScratchDirectory::~ScratchDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

Result<Place> find_log(Wanted const& wanted, std::vector<std::string> const& services) {
    if (!wanted.service.empty() && std::ranges::find(services, wanted.service) == services.end())
        return fail(400, "service_unknown",
                    fmt::format("there is no service '{}'; this binary has {}", wanted.service, fmt::join(services, ", ")));
    if (wanted.log.starts_with("http://") || wanted.log.starts_with("https://")) return of_server(wanted, services);
    std::error_code error;
    auto const kind = fs::status(wanted.log, error).type();
    if (kind == fs::file_type::not_found) return invalid(wanted, "there is no such file or directory");
    if (kind == fs::file_type::regular) return of_export(wanted, services);
    if (kind != fs::file_type::directory) return invalid(wanted, "it is neither a file nor a directory");
    return holds_log(wanted.log) ? of_log_directory(wanted, services) : of_data_directory(wanted, services);
}

}  // namespace gantry::app::rehearsal
