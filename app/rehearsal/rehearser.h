#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/rehearsal/protocol.h"
#include "kernel/codec/any_value.h"
#include "kernel/codec/keyed_hash.h"
#include "kernel/codec/seal.h"
#include "kernel/config/config.h"
#include "kernel/log/file/still_log.h"
#include "kernel/runtime/binding.h"
#include "kernel/runtime/host.h"
#include "kernel/runtime/replay.h"

namespace gantry::app::rehearsal {

// Where a service's log is, and the keys of its site: "" when there are none. Both are only read.
struct LogAt {
    std::string log_directory, site_directory;
};

// This binary's side: one service, folded forward over a log. Going back starts from a state that was kept, or from the beginning.
class Rehearser final : public Side {
   public:
    // Problems: those of StillLog::open, "key_damaged", "keys_damaged", and "log_damaged" when a cut log holds no baseline.
    static Result<std::unique_ptr<Rehearser>> open(runtime::ServiceDecl decl, LogAt const& at, std::string_view version);

    Hello const& hello() const override { return hello_; }
    Result<Digest> digest_at(std::uint64_t position) override;
    Result<Answered> get(std::string const& target, std::uint64_t as_of) override;

    // The request of a report once more, on the state that it saw; nearer snapshots of this release in `snapshots_directory` are used ("":
    // none). 400 "replay_impossible", "service_unknown"-like problems of the report, 410 "position_gone" for one of another history.
    Result<runtime::Replayed> replay(runtime::FailureReport const& report, std::string const& snapshots_directory);
    // The service's settings, instead of their defaults.
    void configure(config::Config const& config);

   private:
    struct Kept {
        runtime::Folded state;
        std::uint64_t used = 0;
    };
    // Two: of a bisection the last position where both agreed, and the one between.
    static constexpr std::size_t kept_max = 2;

    Rehearser(runtime::ServiceDecl decl, std::unique_ptr<log::StillLog> log) : decl_(std::move(decl)), log_(std::move(log)) {}
    Result<void> read_keys(std::string const& site_directory);
    Result<void> find_beginning();
    void greet(std::string_view version);
    runtime::Sources sources() const { return {decl_, *log_, nullptr, &sealer_}; }
    Result<void> go_to(std::uint64_t position);
    Result<runtime::Folded> nearest(std::uint64_t position);
    void keep();
    Result<runtime::Answer> read(std::string const& target) const;

    runtime::ServiceDecl decl_;
    std::unique_ptr<log::StillLog> log_;
    SeededRandom random_{1};  // so that both sides draw the same
    std::unique_ptr<codec::SubjectKeys> keys_;
    codec::Sealer sealer_;
    codec::HashKey hash_key_{};
    std::optional<codec::AnyValue> settings_;
    std::optional<runtime::BaselineMark> beginning_;  // of a log that was cut
    std::unique_ptr<runtime::Host> host_;             // never started: it answers for states that are given to it
    std::unique_ptr<runtime::RouteTable> routes_;
    std::optional<runtime::Folded> now_;
    std::vector<Kept> kept_;
    std::uint64_t turn_ = 0;
    Hello hello_;
};

}  // namespace gantry::app::rehearsal
