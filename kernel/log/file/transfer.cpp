#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "kernel/base/crc32c.h"
#include "kernel/base/varint.h"
#include "kernel/log/file/log_writer.h"
#include "kernel/log/file/recovery.h"
#include "kernel/log/file/tools.h"

namespace gantry::log {
namespace {

constexpr std::string_view export_magic = "GANTRYEX";
constexpr std::uint32_t export_version = 1;
constexpr std::uint32_t frame_bytes_max = 1u << 30;
constexpr std::size_t frame_step_bytes = 1 << 20;
enum Frame : char { frame_base = 'h', frame_schemas = 's', frame_batch = 'b', frame_end = 'e' };

Result<void> put_frame(Sink const& sink, char kind, std::string_view bytes) {
    std::string head(1, kind);
    put_fixed(head, std::uint32_t(bytes.size())), put_fixed(head, crc32c(bytes));
    TRY_VOID(sink(head));
    return sink(bytes);
}

std::string base_frame(SegmentHeader const& h) {
    std::string out;
    put_fixed(out, h.first), put_fixed(out, h.base_chain), put_fixed(out, h.base_time.us), put_fixed(out, h.base_epoch);
    return out;
}

class Importer {
   public:
    explicit Importer(Fill const& source) : source_(source) {}
    VerifyReport report;
    std::string schemas;
    std::optional<LogWriter> writer;  // set once base() is known

    Result<bool> next() {  // false: the end frame
        TRY_ASSIGN(char kind, frame());
        if (kind == frame_schemas) return schemas = frame_, true;
        if (kind == frame_batch) return batch();
        if (kind != frame_end) return bad("a frame of an unknown kind");
        ByteReader end(frame_);
        if (end.fixed<std::uint64_t>() != report.batches || end.fixed<std::uint64_t>() != reached_.chain)
            return bad("the end doesn't match");
        char behind;
        TRY_ASSIGN(auto more, source_({&behind, 1}));
        if (more > 0) return bad("something follows its end");
        return false;
    }
    Result<Chained> base() {
        char magic[12];
        TRY_VOID(take(magic));
        ByteReader in({magic, sizeof magic});
        if (in.bytes(8) != export_magic || in.fixed<std::uint32_t>() != export_version) return bad("it is no export of this version");
        TRY_ASSIGN(char kind, frame());
        if (kind != frame_base) return bad("it doesn't say where it begins");
        ByteReader base(frame_);
        reached_.next = base.fixed<std::uint64_t>(), reached_.chain = base.fixed<std::uint64_t>();
        reached_.time.us = base.fixed<std::int64_t>(), reached_.epoch = base.fixed<std::uint64_t>();
        if (!base.ok()) return bad("it doesn't say where it begins");
        return reached_;
    }

   private:
    std::unexpected<Problem> bad(std::string_view what) const {
        Problem p{400, "import_damaged", "The export can't be read."};
        p.cause = fmt::format("at byte {}, position {}: {}", read_, reached_.next, what);
        return fail(std::move(p));
    }
    Result<void> take(std::span<char> out) {
        while (!out.empty()) {
            TRY_ASSIGN(auto n, source_(out));
            if (n == 0) return bad("it ends too early");
            out = out.subspan(n), read_ += n;
        }
        return {};
    }
    // Fills frame_ and returns its kind.
    Result<char> frame() {
        char head[9];
        TRY_VOID(take(head));
        ByteReader in({head, sizeof head});
        char kind = in.fixed<char>();
        auto size = in.fixed<std::uint32_t>(), crc = in.fixed<std::uint32_t>();
        if (size > frame_bytes_max) return bad("a frame is too long");
        for (frame_.clear(); frame_.size() < size;) {  // what it claims takes memory only as it comes
            auto const taken = frame_.size(), step = std::min<std::size_t>(size - taken, frame_step_bytes);
            frame_.resize(taken + step);
            TRY_VOID(take(std::span(frame_).subspan(taken)));
        }
        if (crc32c(frame_) != crc) return bad("a frame's checksum is wrong");
        return kind;
    }
    Result<bool> batch() {
        BatchHeader h;
        BatchView view;
        if (frame_.size() < batch_header_bytes || !decode_header(frame_.data(), 0, 0, h) || h.length != frame_.size())
            return bad("a batch header is damaged");
        if (auto why = decode_body(h, frame_.data(), cursors_, view)) return bad(why);
        if (h.first != reached_.next || chain_after(reached_.chain, frame_.data(), h.length) != h.chain)
            return bad("a batch doesn't continue the one before it");
        if (h.time < reached_.time || h.epoch < reached_.epoch) return bad("a batch is older than the one before it");
        if (!events_well_formed(view.events, view.count)) return bad("the events of a batch are malformed");
        TRY_VOID(writer->add(frame_, schemas));
        reached_ = {h.first + h.count, h.chain, h.time, h.epoch};
        ++report.batches, report.events += h.count, report.end = reached_.next - 1, report.incarnation = h.incarnation;
        return true;
    }
    Fill const& source_;
    std::string frame_;
    Chained reached_;
    std::vector<CursorView> cursors_;
    std::uint64_t read_ = 0;
};

}  // namespace

Result<void> export_log(Disk& disk, std::string const& directory, Sink const& sink) {
    TRY_ASSIGN(auto segments, load_segments(disk, directory));
    if (segments.empty()) return fail(404, "log_absent", "There is no log.");
    std::string head(export_magic);
    put_fixed(head, export_version);
    TRY_VOID(sink(head));
    TRY_VOID(put_frame(sink, frame_base, base_frame(segments.front()->header)));
    std::uint64_t batches = 0;
    Chained reached;
    std::string schemas, bytes;
    bool first = true;
    for (std::size_t i = 0; i < segments.size(); ++i) {
        auto& s = *segments[i];
        if (first || s.header.schemas != schemas) TRY_VOID(put_frame(sink, frame_schemas, schemas = s.header.schemas));
        first = false;
        TRY_ASSIGN(auto file, disk.open(s.path, Open::existing_read));
        Result<void> put;
        std::uint64_t end = 0;
        auto visit = [&](SegmentWalk const& w) {
            bytes = w.bytes();
            seal(bytes.data(), 0, 0, 0);
            ++batches;
            return (put = put_frame(sink, frame_batch, bytes)).has_value();
        };
        auto next = i + 1 < segments.size() ? &segments[i + 1]->header : nullptr;
        TRY_ASSIGN(auto damage, walk_segment(*file, s, next, Check::chain, reached, end, visit));
        if (!put) return put;
        if (damage && next) return fail(damaged(*damage));  // in the newest segment it may be a tail that is being written
    }
    std::string tail;
    put_fixed(tail, batches), put_fixed(tail, reached.chain);
    return put_frame(sink, frame_end, tail);
}

Result<VerifyReport> import_log(Disk& disk, std::string const& directory, Fill const& source, Options const& options, Clock& clock,
                                Random& random) {
    TRY_ASSIGN(auto taken, disk.list(directory));
    if (!taken.empty()) return fail({409, "log_exists", "The directory isn't empty; name another one.", {}, directory});
    auto beside = directory + ".import";  // it gets its name when it is complete
    TRY_VOID(disk.make_directories(beside));
    TRY_ASSIGN(auto stale, disk.list(beside));
    for (auto& name : stale) TRY_VOID(disk.remove(beside + "/" + name));
    Importer importer(source);
    TRY_ASSIGN(auto base, importer.base());
    auto& writer = importer.writer.emplace(disk, beside, options, clock, random, base);
    importer.report.begin = base.next;
    for (;;) {
        TRY_ASSIGN(bool more, importer.next());
        if (!more) break;
    }
    auto old = std::exchange(importer.report.incarnation, random.next());
    auto note = fmt::format("import of {} up to {}", incarnation_text(old), importer.report.end);
    TRY_VOID(writer.begin_incarnation(importer.report.incarnation, note, importer.schemas));
    TRY_VOID(writer.finish());
    TRY_VOID(disk.rename(beside, directory));
    TRY_VOID(disk.sync_directory(directory.substr(0, directory.rfind('/'))));
    return std::move(importer.report);
}

}  // namespace gantry::log
