#include "kernel/log/faulty/simulation.h"

#include <fmt/format.h>

#include <deque>
#include <vector>

#include "kernel/base/hash.h"
#include "kernel/base/varint.h"
#include "kernel/log/batch.h"
#include "kernel/log/faulty/simulated_disk.h"
#include "kernel/log/file/file_log.h"

namespace gantry::log {
namespace {

// What one log should hold.
struct Model {
    struct Batch {
        Position first;
        std::uint32_t count;
        std::uint64_t digest;
    };
    std::string directory;
    std::deque<Batch> batches;  // appended in this life, or found at the last start
    std::size_t durable = 0;    // how many of them were acknowledged
    std::size_t evident = 0;    // how many lie in groups before the last acknowledged one
    Epoch epoch = 0;
    Incarnation incarnation = 0;
    Position begin = 1;  // at most: what was cut so far
    std::unique_ptr<FileLog> log;

    Position next() const { return batches.empty() ? 1 : batches.back().first + batches.back().count; }
    void acknowledge(Position position) {
        std::size_t n = durable;
        while (n < batches.size() && batches[n].first + batches[n].count <= position + 1) ++n;
        if (n > durable) evident = durable, durable = n;
    }
};

class Simulation {
   public:
    explicit Simulation(std::uint64_t seed)
        : random_(seed),
          disk_(mix64(seed)),
          log_random_(mix64(seed + 1)),
          committer_(Committer::Mode::manual, [this](Problem const& p) { died(p); }) {
        options_.segment_bytes_min = 4096u << random_.below(3), options_.segment_bytes_max = options_.segment_bytes_min << random_.below(4);
        options_.batch_bytes_max = 20'000, options_.pending_bytes_max = 100'000;
        models_.resize(1 + random_.below(3));
        for (std::size_t i = 0; i < models_.size(); ++i) models_[i].directory = fmt::format("/data/main/s{}/log", i);
    }

    SimulationReport run() {
        restart();
        auto steps = 60 + random_.below(200);
        for (std::uint64_t i = 0; i < steps && good(); ++i) step();
        if (good()) settle(), stop(Stop::clean), restart();
        for (auto& m : models_) m.log.reset();
        return report_;
    }

   private:
    enum class Stop { clean, kill, power };
    bool good() const { return report_.violation.empty(); }
    void violated(std::string what) {
        if (good()) report_.violation = std::move(what);
    }
    void died(Problem const& p) {
        if (p.code == "disk_full") violated("a full disk ended the process: " + p.cause);
        if (!expecting_failure_) violated("the process ended without a fault: " + p.cause);
        ++report_.failed_writes, dead_ = true;
    }
    Model& any() { return models_[random_.below(models_.size())]; }

    void step() {
        auto dice = random_.below(100);
        if (dice < 40)
            append(any());
        else if (dice < 65)
            committer_.run_commit();
        else if (dice < 75)
            committer_.run_prepare();
        else if (dice < 78)
            look(any());
        else if (dice < 80)
            clock_.advance(Duration::millis(std::int64_t(random_.below(5000))));
        else if (dice < 84)
            burst();
        else if (dice < 87)
            cut(any());
        else if (dice < 89)
            disk_.set_capacity(random_.chance(0.5) ? disk_.used_bytes() + random_.below(10'000) : ~std::uint64_t{0});
        else if (dice < 91)
            expecting_failure_ = true, disk_.fail_at(1 + random_.below(8));
        else if (dice < 97)
            stop(Stop(random_.below(3))), restart();
        else
            stop(Stop(random_.below(3))), rot(), restart();
        if (dead_) stop(random_.chance(0.5) ? Stop::kill : Stop::power), restart();
    }

    void append(Model& m) {
        std::string events, payload;
        auto count = std::uint32_t(random_.below(4));
        auto bytes = random_.chance(0.05) ? random_.below(9'000) : random_.below(300);
        for (std::uint32_t i = 0; i < count; ++i) {
            payload.assign(std::size_t(bytes / (i + 1)), char(random_.next()));
            put_varint(events, random_.below(5)), put_string(events, payload);
        }
        if (!m.log->has_space(events.size() + 64)) {
            ++report_.full_disks;
            return;
        }
        BatchView b;
        b.count = count, b.events = events, b.caller = "u_sim", b.time = std::max(clock_.wall(), m.log->status().last_time);
        auto expected = m.next();
        auto first = m.log->append(b);
        if (!first) {
            if (first.error().code != "log_busy" && !dead_) violated("append: " + first.error().code);
            return;
        }
        if (*first != expected) violated(fmt::format("{}: append gave position {}, expected {}", m.directory, *first, expected));
        if (count > 0) m.batches.push_back({*first, count, hash64(events)}), ++report_.batches;
    }
    void burst() {
        Model& m = any();
        for (auto n = random_.below(30); n > 0 && !dead_; --n) append(m);
    }
    void cut(Model& m) {
        if (dead_ || m.durable == 0) return;
        auto below = m.batches[random_.below(m.durable)].first;
        auto done = m.log->cut(below, clock_.wall());
        if (!done && !dead_ && !expecting_failure_ && done.error().code != "log_busy") violated("cut: " + done.error().cause);
        m.begin = std::max(m.begin, below);
        if (m.log->status().begin > m.begin) violated("cut took more than it was told");
    }
    void look(Model& m) {
        if (dead_ || m.durable == 0) return;
        auto& b = m.batches[random_.below(m.durable)];
        bool same = false;
        auto found = m.log->find(b.first, [&](BatchView const& v) { return same = hash64(v.events) == b.digest && v.first == b.first; });
        if (!found && found.error().code == "position_gone" && b.first < m.begin) return;
        if (!found || !same)
            violated(fmt::format("{}: position {} is not found: {}", m.directory, b.first, found ? "other content" : found.error().cause));
    }
    void settle() {
        disk_.fail_at(0), expecting_failure_ = false, disk_.set_capacity(~std::uint64_t{0});
        while (!dead_ && committer_.run_once());
    }

    void stop(Stop how) {
        ++report_.crashes;
        if (how == Stop::clean && !dead_)
            for (auto& m : models_)
                if (auto closed = m.log->close(); !closed && !dead_ && !expecting_failure_) violated("close: " + closed.error().cause);
        for (auto& m : models_) m.log.reset();
        disk_.fail_at(0), expecting_failure_ = false;
        if (how == Stop::power)
            disk_.crash();
        else
            disk_.kill();
        dead_ = false;
    }

    // One bit of one segment; it is put right again when the log has named it.
    void rot() {
        std::vector<std::string> paths;
        for (auto& path : disk_.files())
            if (path.ends_with(".log")) paths.push_back(path);
        if (paths.empty()) return;
        rotten_ = paths[random_.below(paths.size())], rot_bit_ = int(random_.below(8));
        auto file = disk_.open(rotten_, Open::existing_read);
        auto size = (*file)->size().value_or(0);
        rot_at_ = random_.below(random_.chance(0.5) ? size : std::min<std::uint64_t>(size, 3000));
        disk_.flip_bit(rotten_, rot_at_, rot_bit_);
    }
    bool rot_of(Model const& m) const { return rotten_.starts_with(m.directory + "/"); }
    void heal(std::string const& cause) {
        if (cause.find(rotten_) == cause.npos || cause.find("gantry log repair") == cause.npos)
            violated("damage without place or remedy: " + cause);
        ++report_.damage_named;
        disk_.flip_bit(rotten_, rot_at_, rot_bit_);
        rotten_.clear();
    }

    void restart() {
        if (random_.chance(0.1)) ++schemas_;
        for (auto& m : models_) open(m);
        rotten_.clear();
    }
    void open(Model& m) {
        for (int tries = 0; good(); ++tries) {
            if (tries > 6) return violated(m.directory + " doesn't start");
            bool faults = tries == 0 && random_.chance(0.05);
            if (faults) disk_.fail_at(1 + random_.below(10));
            auto opened = FileLog::open(disk_, committer_, m.directory, options_, fmt::format("schemas {}", schemas_), clock_, log_random_,
                                        ClockAhead::accept);
            disk_.fail_at(0);
            if (!opened) {
                auto& problem = opened.error();
                if (problem.code == "log_damaged" && rot_of(m))
                    heal(problem.cause);
                else if (problem.code == "log_format" && rot_of(m) && rot_at_ < 12)
                    heal(rotten_ + " gantry log repair");
                else if (problem.code == "disk_full")
                    disk_.set_capacity(~std::uint64_t{0});
                else if (!faults)
                    return violated(m.directory + " doesn't start: " + problem.code + " " + problem.cause);
                continue;
            }
            m.log = std::move(*opened);
            m.log->on_durable([&m](Position p) { m.acknowledge(p); });
            if (m.log->torn_bytes() > 0) ++report_.torn_tails;
            if (compare(m)) return;
            m.log.reset();
        }
    }

    // After a start: everything acknowledged is there, once, in order; what wasn't is a prefix of what was tried.
    bool compare(Model& m) {
        std::size_t at = 0, chained = 0;
        std::uint64_t chain = 0, expected_digest = 0, digest = 0;
        Epoch epoch = 0;
        std::string scratch;
        while (at < m.batches.size() && m.batches[at].first < m.log->status().begin) ++at;
        if (m.log->status().begin > m.begin) violated(m.directory + ": the beginning is gone");
        auto scanned = m.log->scan(0, [&](BatchView const& b) {
            scratch.clear();
            if (chained++ > 0 && encode(b, chain, scratch) != b.chain) violated(m.directory + ": the chain is broken");
            chain = b.chain;
            if (b.epoch < epoch) violated(m.directory + ": an epoch went back");
            epoch = b.epoch;
            if (b.count == 0) return true;
            if (at >= m.batches.size()) return violated(m.directory + ": more than was ever appended"), false;
            auto& expected = m.batches[at++];
            if (b.first != expected.first || b.count != expected.count)
                violated(fmt::format("{}: found positions from {}, expected {}", m.directory, b.first, expected.first));
            digest = mix64(digest ^ hash64(b.events)), expected_digest = mix64(expected_digest ^ expected.digest);
            return true;
        });
        if (!scanned) {
            if (scanned.error().code != "log_damaged" || !rot_of(m)) return violated(m.directory + ": " + scanned.error().cause), true;
            return heal(scanned.error().cause), false;
        }
        if (digest != expected_digest) violated(m.directory + ": the state differs from the model");
        if (at < m.durable) {
            if (!rot_of(m) || at < m.evident)
                violated(fmt::format("{}: {} of {} acknowledged batches are there ({} evident)", m.directory, at, m.durable, m.evident));
            else
                ++report_.damage_undecidable;
        }
        auto status = m.log->status();
        if (status.epoch <= m.epoch && !(rot_of(m) && status.epoch == m.epoch)) violated(m.directory + ": the epoch didn't grow");
        if (m.incarnation != 0 && status.incarnation != m.incarnation && m.durable > 0) violated(m.directory + ": another incarnation");
        m.batches.resize(at), m.durable = m.evident = at;
        m.epoch = status.epoch, m.incarnation = status.incarnation;
        if (status.end + 1 != m.next()) violated(m.directory + ": the end differs from the model");
        return true;
    }

    SeededRandom random_;
    SimulatedDisk disk_;
    SeededRandom log_random_;
    ManualClock clock_;
    Options options_;
    SimulationReport report_;
    std::string rotten_;
    std::uint64_t rot_at_ = 0;
    int rot_bit_ = 0;
    int schemas_ = 0;
    bool dead_ = false;
    bool expecting_failure_ = false;
    Committer committer_;
    std::vector<Model> models_;
};

}  // namespace

void SimulationReport::operator+=(SimulationReport const& other) {
    batches += other.batches, crashes += other.crashes, failed_writes += other.failed_writes, full_disks += other.full_disks;
    torn_tails += other.torn_tails, damage_named += other.damage_named, damage_undecidable += other.damage_undecidable;
}

SimulationReport simulate(std::uint64_t seed) { return Simulation(seed).run(); }

}  // namespace gantry::log
