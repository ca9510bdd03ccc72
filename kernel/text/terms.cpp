#include "kernel/text/terms.h"

#include <fmt/format.h>
#include <xapian.h>

#include <cerrno>
#include <cstring>

#include "kernel/base/hash.h"
#include "kernel/base/varint.h"

namespace gantry::text {
namespace {

void put_big_endian(std::string& out, std::uint64_t value) {
    for (int shift = 56; shift >= 0; shift -= 8) out += char(value >> shift);
}
std::uint64_t big_endian(std::string_view bytes) {
    std::uint64_t value = 0;
    for (char const byte : bytes.substr(0, 8)) value = value << 8 | std::uint8_t(byte);
    return value;
}
constexpr std::uint64_t sign = 1ull << 63;

bool speaks_of(Xapian::Error const& error, int number) {
    std::string_view const why = error.get_error_string() ? error.get_error_string() : "";
    return why.find(std::strerror(number)) != why.npos || error.get_msg().find(std::strerror(number)) != std::string::npos;
}

}  // namespace

void put_word(std::string& out, std::size_t field, std::string_view word) {
    out.clear();
    out += char('a' + field);
    out += ':';
    out += word;
}

std::string value_prefix(std::string_view name, std::string_view folded) {
    std::string out = "=";
    out += name.substr(0, name_bytes_max);
    out += '\x1f';
    return out += folded.substr(0, value_bytes_max);
}
std::string value_term(std::string_view name, std::string_view folded) {
    auto out = value_prefix(name, folded);
    if (folded.size() > value_bytes_max) out += fmt::format("\x1f{:016x}", hash64(folded));
    return out;
}
std::string id_term(std::uint64_t id) { return fmt::format("#{:x}", id); }

std::string key_term(std::string_view key) { return "#=" + std::string(key); }

std::string order_key(Time time, std::uint64_t id) {
    std::string out;
    put_big_endian(out, std::uint64_t(time.us) ^ sign);
    put_big_endian(out, id);
    return out;
}
OrderKey read_order_key(std::string_view key) {
    if (key.size() != 16) return {};
    return {Time{std::int64_t(big_endian(key) ^ sign)}, big_endian(key.substr(8))};
}

std::string encode_upto(Upto const& upto) {
    std::string out;
    put_fixed(out, upto.incarnation);
    put_fixed(out, upto.position);
    return out;
}
Upto decode_upto(std::string_view bytes) {
    ByteReader in(bytes);
    Upto upto;
    upto.incarnation = in.fixed<std::uint64_t>();
    upto.position = in.fixed<std::uint64_t>();
    return in.ok() ? upto : Upto{};
}

Problem problem_of(Xapian::Error const& error, std::string_view directory) {
    std::string_view const type = error.get_type();
    auto problem = [&](int status, std::string_view code, std::string_view what) {
        return Problem{.status = status,
                       .code = std::string(code),
                       .detail = std::string(what),
                       .cause = fmt::format("{}: {}", directory, error.get_description())};
    };
    if (speaks_of(error, ENOSPC) || speaks_of(error, EDQUOT) || speaks_of(error, EFBIG))
        return problem(507, "text_disk_full", "the full-text index can't grow: the disk is full");
    if (speaks_of(error, EROFS) || speaks_of(error, EACCES) || speaks_of(error, EPERM))
        return problem(500, "text_read_only", "the full-text index can't be written where it lies, or not be read");
    if (type == "DatabaseLockError") return problem(500, "text_in_use", "another process writes this full-text index");
    if (type == "DatabaseVersionError")
        return problem(500, "text_outdated", "the full-text index has another format: drop it, and it is made anew");
    bool const cut_short = error.get_msg().find("end of file") != std::string::npos || error.get_msg().find("EOF") != std::string::npos;
    if (type == "DatabaseCorruptError" || type == "DatabaseNotFoundError" || cut_short || speaks_of(error, ENOENT) ||
        type == "RangeError" || type == "SerialisationError")
        return problem(500, "text_damaged", "the full-text index is damaged: drop it, and it is made anew");
    return problem(500, "text_failed", "the full-text index failed");
}

}  // namespace gantry::text
