#pragma once
// All that a service includes: facts, state, decisions and routes are written with this and nothing else.
#include "kernel/base/record.h"
#include "kernel/base/result.h"
#include "kernel/base/text.h"
#include "kernel/base/time.h"
#include "kernel/runtime/cursor.h"
#include "kernel/runtime/service.h"
#include "kernel/state/bits.h"
#include "kernel/state/marks.h"
#include "kernel/state/names.h"
#include "kernel/state/ordered.h"
#include "kernel/state/rows.h"
#include "kernel/state/table.h"
