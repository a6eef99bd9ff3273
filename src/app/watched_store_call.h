#pragma once

#include "app/observed_store.h"
#include "base/trace.h"

namespace mcp_oauth {

// db:query for what reads, db:transaction for what writes.
topic topic_of(const store_call& call);

// What was asked of the database, how many records that meant, how long it took, and why it failed. Names no
// record, and shows nothing of one.
trace_note store_note(const store_call& call);

}  // namespace mcp_oauth
