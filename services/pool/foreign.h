#pragma once
#include "services/pool/acquire.h"

// Protocols of others, on the same resources: Boskos' query strings, and the PPA assigner's few calls.
namespace gantry::pool {

using ForeignEmit = Emit<ForeignReply, Event>;

// A ticket of a foreign protocol: its name may come again once it is over, and it leaves the line when it is not asked after.
inline constexpr std::int64_t foreign_stay_ms = 60'000;

struct BoskosCall {
    std::string type, state, dest, owner, name, names, request_id;
    Duration expire;
    std::string data;  // JSON
};
RECORD(BoskosCall, type, state, dest, owner, name, names, request_id, expire, data);
Result<BoskosCall> parse_boskos_acquire(ForeignRequest const& request);
Result<BoskosCall> parse_boskos_acquire_by_state(ForeignRequest const& request);
Result<BoskosCall> parse_boskos_release(ForeignRequest const& request);
Result<BoskosCall> parse_boskos_update(ForeignRequest const& request);
Result<BoskosCall> parse_boskos_reset(ForeignRequest const& request);
Result<BoskosCall> parse_boskos_metric(ForeignRequest const& request);
Result<ForeignEmit> boskos_acquire(State const& s, BoskosCall const& in, Ctx const& cx);
Result<ForeignEmit> boskos_acquire_by_state(State const& s, BoskosCall const& in, Ctx const& cx);
Result<ForeignEmit> boskos_release(State const& s, BoskosCall const& in, Ctx const& cx);
Result<ForeignEmit> boskos_update(State const& s, BoskosCall const& in, Ctx const& cx);
Result<ForeignEmit> boskos_reset(State const& s, BoskosCall const& in, Ctx const& cx);
Result<ForeignReply> boskos_metric(State const& s, BoskosCall const& in, Ctx const& cx);
// A refusal as a line of text.
ForeignReply refuse_boskos(Problem const& problem);

struct PpaCall {
    std::string ticket, name;
    bool populate = false;
};
RECORD(PpaCall, ticket, name, populate);
Result<PpaCall> parse_ppa_list(ForeignRequest const& request);
Result<PpaCall> parse_ppa_reserve(ForeignRequest const& request);
Result<PpaCall> parse_ppa_populate(ForeignRequest const& request);
Result<PpaCall> parse_ppa_release(ForeignRequest const& request);
Result<ForeignReply> ppa_list(State const& s, PpaCall const& in, Ctx const& cx);
Result<ForeignEmit> ppa_reserve(State const& s, PpaCall const& in, Ctx const& cx);
Result<ForeignEmit> ppa_populate(State const& s, PpaCall const& in, Ctx const& cx);
Result<ForeignEmit> ppa_release(State const& s, PpaCall const& in, Ctx const& cx);
// A refusal as {"message": "…"}.
ForeignReply refuse_ppa(Problem const& problem);

}  // namespace gantry::pool
