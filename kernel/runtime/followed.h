#pragma once
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "kernel/log/log.h"
#include "kernel/state/io.h"

// How far the followers of a service have come: state that the kernel folds from the cursors and notes of batches. Each change is an
// assignment, so that a fold may begin at any earlier place.
namespace gantry::runtime {

using log::Position;

// An event of a source that a follower could not take, or one behind it with the same subject.
struct DeadLetter {
    enum class State : std::uint8_t {
        failed = 0,  // its decision failed: `code` and `detail` say how
        behind = 1,  // waits behind one that failed
        retry = 2,   // is taken again before anything new
    };
    State state = State::failed;
    std::string subject;
    std::string code, detail;
    Time time{};  // of the failure
};

// One source of a service.
class Followed {
   public:
    static constexpr std::size_t letters_max = 10'000;
    using Letters = std::map<Position, DeadLetter>;
    explicit Followed(std::string_view of) : source(of) {}

    std::string source;
    log::Incarnation incarnation = 0;  // 0: nothing was read yet
    Position position = 0;             // up to which events were taken, or lie among the letters

    Letters const& letters() const { return letters_; }
    void put(Position position, DeadLetter letter);
    void erase(Position position);
    void clear();
    // Whether an event with this subject waits behind others. Those without a subject never do.
    bool blocks(std::string_view subject) const { return !subjects_.empty() && subjects_.contains(std::string(subject)); }
    // The first letter that is to be taken again; null: none.
    Letters::value_type const* to_retry() const;
    // The oldest event that is still needed from this source.
    Position needs() const { return letters_.empty() ? position + 1 : std::min(letters_.begin()->first, position + 1); }

   private:
    Letters letters_;
    std::unordered_map<std::string, std::size_t> subjects_;  // of the letters, with their number
};

// What one batch changes about the letters of the source in its cursor.
//
//     note = u8 form (1), then: u8 1 varint position u8 state string subject string code string detail i64 time    a letter is so
//                               u8 2 varint position                                                          a letter is gone
//                               u8 3                                                                          all are gone
class LetterChanges {
   public:
    void put(Position position, DeadLetter const& letter);
    void erase(Position position);
    void clear();
    bool empty() const { return note_.size() <= 1; }
    std::string const& note() const { return note_; }

   private:
    void begin(std::uint8_t what);
    std::string note_;
};

// Takes a letter away; the next one with its subject is then taken again.
void drop_letter(Followed& followed, Position position, LetterChanges& changes);

class FollowedSources {
   public:
    Followed const* find(std::string_view source) const;
    Followed& at(std::string_view source);
    std::vector<Followed> const& all() const { return sources_; }
    void take(log::BatchView const& batch);
    std::uint64_t memory_bytes() const;

    void save(state::Out& out) const;
    bool load(state::In& in);

   private:
    std::vector<Followed> sources_;
};
// False: the note is damaged, or of a later form.
bool apply_note(Followed& followed, std::string_view note);

}  // namespace gantry::runtime
