#pragma once

namespace mcp_oauth {

// From here on a large piece of memory goes back to the system when it is freed. By default the C library
// takes the first such piece for the size of things here, and keeps what is freed from then on: a log that
// had to wait for its disk for once would make the process larger for good.
void give_back_large_memory();

// The other way about, for a program that handles one large message after the other, and calls
// `give_back_unused_memory` when there are none: what is freed, up to some MiB, is at hand for the next one.
// To have it made ready by the system each time costs more than all that is done with it.
void keep_large_memory_at_hand();

// Lets go of what is not in use at this moment: free memory, and every page of this program and its libraries
// that can be read from its file again. A start needs much of them that is never needed afterwards, and what
// is, comes back with the next step through it, in some ten microseconds altogether. From any thread, at any
// time.
void give_back_unused_memory();

}  // namespace mcp_oauth
