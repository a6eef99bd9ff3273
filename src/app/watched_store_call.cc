#include "app/watched_store_call.h"

#include "base/text.h"
#include "symptom/catalogue.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace mcp_oauth {
namespace {

using operation = store_call::operation;

// "put grant, refresh; erase code"
std::string parts_of(const change& wanted) {
  auto add = [](std::vector<std::string>& kinds, const std::string& kind) {
    if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) kinds.push_back(kind);
  };
  std::vector<std::string> put, erased, parts;
  for (const auto& r : wanted.put) add(put, r.kind);
  for (const auto& [kind, id] : wanted.erase) add(erased, kind);
  if (!put.empty()) parts.push_back("put " + join(put, ", "));
  if (!erased.empty()) parts.push_back("erase " + join(erased, ", "));
  return join(parts, "; ");
}

// "client, refresh"
std::string kinds_of(std::span<const record_name> names) {
  std::vector<std::string> kinds;
  for (const auto& n : names) kinds.push_back(n.kind);
  return join(kinds, ", ");
}

std::string in_milliseconds(std::chrono::nanoseconds took) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3f", std::chrono::duration<double, std::milli>(took).count());
  return text.data();
}

}  // namespace

topic topic_of(const store_call& call) {
  switch (call.what) {
    case operation::get:
    case operation::get_each:
    case operation::list:
    case operation::count:
    case operation::check: return topic::db_query;
    case operation::take:
    case operation::commit:
    case operation::erase_grant:
    case operation::sweep:
    case operation::count_: break;
  }
  return topic::db_transaction;
}

trace_note store_note(const store_call& call) {
  std::string what(to_name(call.what));
  auto of = call.wanted != nullptr ? parts_of(*call.wanted)
            : !call.names.empty()  ? kinds_of(call.names)
                                   : std::string(call.of);
  if (!of.empty()) what += (call.wanted != nullptr ? ": " : " ") + of;
  auto rows = std::to_string(call.rows);
  auto time = in_milliseconds(call.took);
  std::string outcome = call.why != nullptr ? "failed"
                        : !call.applied     ? "nothing changed: somebody else was first"
                                            : rows + (call.rows == 1 ? " row" : " rows");
  trace_note note{topic_of(call),
                  what + ": " + outcome + " in " + time + " ms",
                  {{"operation", std::string(to_name(call.what))}, {"rows", rows}, {"duration_ms", time}}};
  if (call.why != nullptr) {
    const auto& row = explain(call.why->code);
    note.fields.emplace_back("symptom", row.id);
    note.fields.emplace_back("reason", row.name);
  }
  return note;
}

}  // namespace mcp_oauth
