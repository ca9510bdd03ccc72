#pragma once
#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "app/rehearsal/protocol.h"
#include "app/rehearsal/rehearser.h"

namespace gantry::app::rehearsal {

// A binary as a child process, spoken to through its standard input and output. Its standard error is ours.
class Partner final : public Side {
   public:
    // Starts `binary rehearse-worker …` and waits for its hello. 400 "rehearsal_binary_unusable" when it can't be run, ends, or gives
    // none; a problem that it tells is passed on.
    static Result<std::unique_ptr<Partner>> start(std::string const& binary, std::string const& service, LogAt const& at);
    ~Partner() override;
    Partner(Partner const&) = delete;

    Hello const& hello() const override { return hello_; }
    Result<Digest> digest_at(std::uint64_t position) override;
    Result<Answered> get(std::string const& target, std::uint64_t as_of) override;

   private:
    static constexpr int hello_timeout_ms = 60'000;
    explicit Partner(std::string binary) : binary_(std::move(binary)) {}
    Result<void> spawn(std::vector<std::string> arguments);
    Result<std::string> line(int timeout_ms);
    Result<Told> ask(Asked const& asked);
    std::unexpected<Problem> broken(std::string_view what) const;

    std::string binary_, received_;
    pid_t pid_ = -1;
    int to_ = -1, from_ = -1;
    Hello hello_;
};

}  // namespace gantry::app::rehearsal
