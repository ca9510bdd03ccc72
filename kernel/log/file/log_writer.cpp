#include "kernel/log/file/log_writer.h"

#include <algorithm>

namespace gantry::log {

LogWriter::LogWriter(Disk& disk, std::string directory, Options options, Clock& clock, Random& random, Chained from, std::uint64_t number)
    : disk_(disk), directory_(std::move(directory)), options_(options), clock_(clock), random_(random), reached_(from), number_(number) {}

void LogWriter::begin(Incarnation incarnation, std::string_view schemas) {
    header_ = {};
    header_.number = number_++, header_.first = reached_.next, header_.incarnation = incarnation;
    header_.base_chain = reached_.chain, header_.base_time = reached_.time, header_.base_epoch = reached_.epoch;
    header_.created = clock_.wall(), header_.salt = std::uint32_t(random_.next()), header_.schemas = schemas;
    bytes_ = encode_header(header_);
}

Result<void> LogWriter::add(std::string_view encoded, std::string_view schemas) {
    auto batch = load_header(encoded.data());
    bool other = bytes_.empty() || header_.incarnation != batch.incarnation || header_.schemas != schemas;
    bool full = bytes_.size() > header_.header_bytes && bytes_.size() + padded(encoded.size()) > options_.segment_bytes_max;
    if (other || full) {
        TRY_VOID(flush());
        begin(batch.incarnation, schemas);
    }
    auto at = bytes_.size();
    bytes_.append(encoded.substr(0, batch.length));
    bytes_.resize(padded(bytes_.size()), '\0');
    seal(bytes_.data() + at, header_.salt, std::uint32_t(at), std::uint32_t(at));
    reached_ = {batch.first + batch.count, batch.chain, batch.time, batch.epoch};
    return {};
}

Result<void> LogWriter::begin_incarnation(Incarnation incarnation, std::string_view note, std::string_view schemas) {
    BatchView b;
    b.kind = BatchKind::incarnation, b.first = reached_.next, b.time = std::max(clock_.wall(), reached_.time);
    b.epoch = reached_.epoch + 1, b.incarnation = incarnation, b.note = note;
    std::string encoded;
    encode(b, reached_.chain, encoded);
    return add(encoded, schemas);
}

Result<void> LogWriter::finish() { return flush(); }

Result<void> LogWriter::flush() {
    if (bytes_.empty()) return {};
    auto beside = directory_ + "/spare-writer.tmp";
    TRY_ASSIGN(bool stale, disk_.exists(beside));
    if (stale) TRY_VOID(disk_.remove(beside));
    TRY_ASSIGN(auto file, disk_.open(beside, Open::create_new));
    TRY_VOID(file->allocate(std::max<std::uint64_t>(bytes_.size(), options_.segment_bytes_min)));
    TRY_VOID(file->write(0, bytes_));
    TRY_VOID(file->sync());
    TRY_VOID(disk_.rename(beside, directory_ + "/" + segment_name(header_.first, header_.number)));
    TRY_VOID(disk_.sync_directory(directory_));
    bytes_.clear();
    return {};
}

}  // namespace gantry::log
