#include "kernel/log/backup_files.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernel/base/crc32c.h"
#include "kernel/codec/json.h"

namespace gantry::log {
namespace {
constexpr std::uint32_t manifest_format = 1;
constexpr std::size_t chunk_bytes = 1 << 20;
}  // namespace

std::unexpected<Problem> backup_damaged(std::string const& file, std::string_view what) {
    Problem problem{400, "backup_damaged", "The backup is damaged: take another one."};
    problem.cause = fmt::format("{}: {}", file, what);
    return fail(std::move(problem));
}

Result<void> copy_bytes(File& from, File* to, std::uint64_t bytes, std::uint32_t& crc, BytesSeen const& seen) {
    std::string chunk(chunk_bytes, '\0');
    crc = 0;
    for (std::uint64_t at = 0; at < bytes;) {
        auto const wanted = std::size_t(std::min<std::uint64_t>(chunk_bytes, bytes - at));
        TRY_ASSIGN(auto n, from.read(at, std::span(chunk).first(wanted)));
        if (n == 0) return fail(500, "disk_failed", "a file became shorter while it was read");
        std::string_view const part(chunk.data(), n);
        crc = crc32c(part, crc);
        if (to) TRY_VOID(to->write(at, part));
        at += n;
        if (seen) TRY_VOID(seen(at));
    }
    return {};
}

Result<void> check_file(Disk& disk, std::string const& place, BackupFile const& file, BytesSeen const& seen) {
    auto const path = place + "/" + file.name;
    TRY_ASSIGN(bool there, disk.exists(path));
    if (!there) return backup_damaged(path, "it is missing");
    TRY_ASSIGN(auto opened, disk.open(path, Open::existing_read));
    TRY_ASSIGN(auto size, opened->size());
    if (size < file.bytes) return backup_damaged(path, fmt::format("it has {} bytes instead of {}", size, file.bytes));
    std::uint32_t crc = 0;
    TRY_VOID(copy_bytes(*opened, nullptr, file.bytes, crc, seen));
    return crc == file.crc ? Result<void>() : backup_damaged(path, "its checksum is wrong");
}

Result<void> write_manifest(Disk& disk, std::string const& place, BackupManifest manifest) {
    manifest.crc = 0;
    manifest.crc = crc32c(codec::to_json(manifest));
    return write_file_durably(disk, place + "/manifest.json", codec::pretty_json(codec::to_json(manifest)));
}

Result<BackupManifest> read_manifest(Disk& disk, std::string const& place) {
    auto const path = place + "/manifest.json";
    TRY_ASSIGN(bool there, disk.exists(path));
    if (!there)
        return fail(404, "backup_absent",
                    fmt::format("there is no whole backup in {}: expected the directory of `gantry backup --to`", place));
    TRY_ASSIGN(auto text, read_file(disk, path));
    auto manifest = codec::from_json<BackupManifest>(text);
    if (!manifest) return backup_damaged(path, "it can't be read: it was changed, or a newer release wrote it");
    if (manifest->format != manifest_format)
        return fail(400, "data_format", fmt::format("{} has format {}, this program reads {}", path, manifest->format, manifest_format));
    auto same = *manifest;
    same.crc = 0;
    if (crc32c(codec::to_json(same)) != manifest->crc) return backup_damaged(path, "its checksum is wrong");
    return manifest;
}

}  // namespace gantry::log
