#include "kernel/runtime/followed.h"

#include <algorithm>

#include "kernel/base/varint.h"

namespace gantry::runtime {
namespace {

constexpr std::uint8_t note_form = 1;
enum : std::uint8_t { put_letter = 1, erase_letter = 2, clear_letters = 3 };
constexpr std::uint8_t last_state = std::uint8_t(DeadLetter::State::retry);

DeadLetter read_letter(ByteReader& in) {
    DeadLetter letter;
    letter.state = DeadLetter::State(std::min(in.fixed<std::uint8_t>(), last_state));
    letter.subject = in.string(), letter.code = in.string(), letter.detail = in.string();
    letter.time = Time{in.fixed<std::int64_t>()};
    return letter;
}

}  // namespace

void Followed::put(Position at, DeadLetter letter) {
    erase(at);
    if (!letter.subject.empty()) ++subjects_[letter.subject];
    letters_.insert_or_assign(at, std::move(letter));
}

void Followed::erase(Position at) {
    auto const found = letters_.find(at);
    if (found == letters_.end()) return;
    if (auto subject = subjects_.find(found->second.subject); subject != subjects_.end() && --subject->second == 0)
        subjects_.erase(subject);
    letters_.erase(found);
}

void Followed::clear() { letters_.clear(), subjects_.clear(); }

Followed::Letters::value_type const* Followed::to_retry() const {
    auto const found = std::ranges::find_if(letters_, [](auto const& letter) { return letter.second.state == DeadLetter::State::retry; });
    return found == letters_.end() ? nullptr : &*found;
}

void LetterChanges::begin(std::uint8_t what) {
    if (note_.empty()) put_fixed(note_, note_form);
    put_fixed(note_, what);
}

void LetterChanges::put(Position position, DeadLetter const& letter) {
    begin(put_letter);
    put_varint(note_, position), put_fixed(note_, std::uint8_t(letter.state));
    put_string(note_, letter.subject), put_string(note_, letter.code), put_string(note_, letter.detail);
    put_fixed(note_, letter.time.us);
}

void LetterChanges::erase(Position position) {
    begin(erase_letter);
    put_varint(note_, position);
}

void LetterChanges::clear() { begin(clear_letters); }

void drop_letter(Followed& followed, Position position, LetterChanges& changes) {
    auto const found = followed.letters().find(position);
    if (found == followed.letters().end()) return;
    auto const subject = found->second.subject;
    bool const leads = found->second.state != DeadLetter::State::behind;
    followed.erase(position), changes.erase(position);
    if (!leads || !followed.blocks(subject)) return;
    auto const next = std::ranges::find_if(followed.letters(), [&](auto const& letter) { return letter.second.subject == subject; });
    if (next->second.state != DeadLetter::State::behind) return;
    auto letter = next->second;
    auto const at = next->first;
    letter.state = DeadLetter::State::retry;
    changes.put(at, letter), followed.put(at, std::move(letter));
}

bool apply_note(Followed& followed, std::string_view note) {
    if (note.empty()) return true;
    ByteReader in(note);
    if (in.fixed<std::uint8_t>() != note_form) return false;
    while (in.ok() && !in.done()) {
        auto const what = in.fixed<std::uint8_t>();
        if (what == clear_letters) {
            followed.clear();
            continue;
        }
        if (what != put_letter && what != erase_letter) return false;
        auto const position = in.varint();
        if (what == erase_letter && in.ok()) followed.erase(position);
        if (what != put_letter) continue;
        auto letter = read_letter(in);
        if (in.ok()) followed.put(position, std::move(letter));
    }
    return in.ok();
}

Followed const* FollowedSources::find(std::string_view source) const {
    auto found = std::ranges::find(sources_, source, &Followed::source);
    return found == sources_.end() ? nullptr : &*found;
}

Followed& FollowedSources::at(std::string_view source) {
    auto found = std::ranges::find(sources_, source, &Followed::source);
    if (found != sources_.end()) return *found;
    return sources_.emplace_back(source);
}

void FollowedSources::take(log::BatchView const& batch) {
    for (auto const& cursor : batch.cursors) {
        auto& followed = at(cursor.source);
        followed.incarnation = cursor.incarnation, followed.position = cursor.position;
    }
    if (batch.cursors.size() == 1) apply_note(at(batch.cursors.front().source), batch.note);
}

std::uint64_t FollowedSources::memory_bytes() const {
    std::uint64_t bytes = 0;
    for (auto const& followed : sources_)
        for (auto const& [position, letter] : followed.letters())
            bytes += 64 + sizeof letter + letter.subject.size() + letter.code.size() + letter.detail.size();
    return bytes;
}

void FollowedSources::save(state::Out& out) const {
    out.number(std::uint32_t(sources_.size()));
    for (auto const& followed : sources_) {
        out.text(followed.source), out.number(followed.incarnation), out.number(followed.position);
        LetterChanges letters;
        for (auto const& [position, letter] : followed.letters()) letters.put(position, letter);
        out.text(letters.note());
    }
}

bool FollowedSources::load(state::In& in) {
    std::uint32_t count;
    if (!in.number(count) || count > in.left() / 20) return false;
    for (std::string source, letters; count > 0; --count) {
        if (!in.text(source)) return false;
        auto& followed = at(source);
        if (!in.number(followed.incarnation) || !in.number(followed.position) || !in.text(letters)) return false;
        if (!apply_note(followed, letters)) return false;
    }
    return true;
}

}  // namespace gantry::runtime
