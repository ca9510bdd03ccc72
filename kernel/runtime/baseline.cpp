#include "kernel/runtime/baseline.h"

#include "kernel/base/varint.h"

namespace gantry::runtime {
namespace {

constexpr char note_form = 1;

struct PartHead {
    BaselineMark mark;
    std::uint32_t part = 0;
    bool last = false;
    std::string_view bytes;
};

std::optional<PartHead> read_head(log::BatchView const& batch) {
    if (batch.kind != log::BatchKind::baseline) return {};
    ByteReader in(batch.note);
    PartHead head;
    if (in.fixed<char>() != note_form) return {};
    head.mark.position = in.fixed<std::uint64_t>(), head.mark.time.us = in.fixed<std::int64_t>();
    head.part = in.fixed<std::uint32_t>(), head.last = in.fixed<char>() != 0;
    if (!in.ok()) return {};
    head.bytes = batch.note.substr(1 + 8 + 8 + 4 + 1);
    return head;
}

// The parts of one baseline in memory: no more than the state that they make.
class BaselineIn final : public state::In {
   public:
    BaselineIn(std::vector<std::string> parts, codec::Sealer const* sealer, std::span<codec::Rename const> renames)
        : In(sealer, state::Form::portable, renames), parts_(std::move(parts)) {
        for (auto const& part : parts_) left_ += part.size();
    }
    bool read(void* bytes, std::size_t size) override {
        if (size > left_) return false;
        auto* to = static_cast<char*>(bytes);
        left_ -= size;
        while (size > 0) {
            auto& part = parts_[at_];
            auto const n = std::min(size, part.size() - offset_);
            part.copy(to, n, offset_);
            to += n, size -= n, offset_ += n;
            if (offset_ == part.size()) std::string().swap(part), ++at_, offset_ = 0;
        }
        return true;
    }
    std::uint64_t left() const override { return left_; }

   private:
    std::vector<std::string> parts_;
    std::size_t at_ = 0, offset_ = 0;
    std::uint64_t left_ = 0;
};

}  // namespace

BaselineOut::BaselineOut(BaselineMark mark, codec::Sealer const* sealer, Append append)
    : Out(sealer, state::Form::portable), mark_(mark), append_(std::move(append)) {}

void BaselineOut::write(void const* bytes, std::size_t size) {
    auto const* from = static_cast<char const*>(bytes);
    while (size > 0) {
        auto const n = std::min(size, baseline_part_bytes - note_.size());
        note_.append(from, n);
        from += n, size -= n;
        if (note_.size() == baseline_part_bytes) flush(false);
    }
}

void BaselineOut::flush(bool last) {
    std::string note(1, note_form);
    put_fixed(note, mark_.position), put_fixed(note, mark_.time.us);
    put_fixed(note, part_++), note += last ? '\1' : '\0';
    note += note_;
    note_.clear();
    if (failed_) failed_ = append_(note);
}

Result<void> BaselineOut::finish() { return flush(true), std::move(failed_); }

std::optional<BaselineMark> BaselineParts::take(log::BatchView const& batch) {
    auto head = read_head(batch);
    if (!head) return {};
    if (head->part == 0) open_ = head->mark, next_ = 0;
    bool const fits = open_ && head->mark.position == open_->position && head->mark.time == open_->time && head->part == next_;
    if (!fits) return open_.reset(), std::nullopt;
    ++next_;
    if (!head->last) return {};
    return std::exchange(open_, std::nullopt);
}

Result<std::optional<BaselineMark>> find_baseline(log::Log const& log) {
    BaselineParts parts;
    std::optional<BaselineMark> newest;
    TRY_VOID(log.scan(0, [&](log::BatchView const& batch) {
        if (auto whole = parts.take(batch)) newest = whole;
        return true;
    }));
    return newest;
}

Result<void> read_baseline(log::Log const& log, BaselineMark mark, codec::Sealer const* sealer, std::function<bool(state::In&)> const& load,
                           std::span<codec::Rename const> renames) {
    std::vector<std::string> bytes;
    bool whole = false;
    // Its parts lie behind the last event that it holds.
    TRY_VOID(log.scan(mark.position, [&](log::BatchView const& batch) {
        auto head = read_head(batch);
        if (!head || head->mark.position != mark.position || head->mark.time != mark.time) return true;
        if (head->part == 0) bytes.clear();
        bytes.emplace_back(head->bytes);
        return !(whole = head->last);
    }));
    BaselineIn in(std::move(bytes), sealer, renames);
    if (whole && load(in) && in.left() == 0) return {};
    Problem problem{
        500, "baseline_unreadable",
        "the baseline of this log can't be read by this program: use the release that wrote it, or restore an export of the log"};
    problem.cause = in.why;
    return fail(std::move(problem));
}

}  // namespace gantry::runtime
