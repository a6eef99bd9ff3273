// rooms: mcp
#include "base/json.h"
#include "mcp/envelope.h"
#include "mcp/json_scanner.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

using namespace mcp_oauth;

void require(bool holds) {
  if (!holds) std::abort();
}

bool is_json(std::string_view text) {
  json_scanner scanner;
  for (;;) {
    auto t = scanner.next(text);
    if (t == json_scanner::token::error) return false;
    if (t == json_scanner::token::more) return scanner.whole();
  }
}

result<envelope> scan(std::string_view body, std::size_t piece_size) {
  envelope_scanner scanner;
  bool decided = false;
  envelope at_decision;
  while (!body.empty()) {
    auto piece = body.substr(0, piece_size);
    body.remove_prefix(piece.size());
    if (auto fed = scanner.feed(piece); !fed) return tl::unexpected<error>(fed.error());
    if (!decided && scanner.decided()) {
      decided = true;
      at_decision = scanner.seen();
    }
  }
  if (auto done = scanner.finish(); !done) return tl::unexpected<error>(done.error());
  require(scanner.decided());
  // What was decided on early is what the whole message says.
  if (decided) {
    require(at_decision.method == scanner.seen().method);
    require(at_decision.has_name == scanner.seen().has_name);
    require(at_decision.name == scanner.seen().name);
  }
  return scanner.seen();
}

void same(const envelope& a, const envelope& b) {
  require(a.kind == b.kind && a.method == b.method && a.id == b.id && a.has_name == b.has_name &&
          a.name == b.name);
  require(a.protocol_version == b.protocol_version && a.version_in_meta == b.version_in_meta);
  require(a.items.size() == b.items.size());
  for (std::size_t i = 0; i < a.items.size(); ++i) same(a.items[i], b.items[i]);
}

// The envelope says what a general reader finds in the same text.
void agrees(const envelope& e, const json::value& v) {
  if (v.is_array()) {
    require(e.kind == envelope::kind::batch && e.items.size() == v.as_array().size());
    for (std::size_t i = 0; i < e.items.size(); ++i) agrees(e.items[i], v.as_array()[i]);
    return;
  }
  const auto& o = v.as_object();
  require(e.method == text_member(o, "method"));
  if (name_of(e.method) == name_member::none) return;
  const auto* params = o.if_contains("params");
  bool has_params = params != nullptr && params->is_object();
  auto member = name_of(e.method) == name_member::name ? "name" : "uri";
  require(e.name == (has_params ? text_member(params->as_object(), member) : ""));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view body(reinterpret_cast<const char*>(data), size);
  auto whole = scan(body, body.size() + 1);
  for (std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{16}}) {
    auto pieces = scan(body, piece);
    require(pieces.has_value() == whole.has_value());
    if (whole) same(*whole, *pieces);
  }

  auto parsed = parse_json(body);
  bool valid = is_json(body);
  if (parsed) {
    // The general reader skips a byte order mark; we do not.
    if (!body.starts_with("\xEF\xBB\xBF")) require(valid);
    if (whole) agrees(*whole, *parsed);
    return 0;
  }
  // It refuses more than the grammar does: repeated members, a smaller depth, numbers out of range.
  std::string_view why = parsed.error().detail;
  bool stricter = why.find("twice") != why.npos || why.find("eep") != why.npos ||
                  why.find("umber") != why.npos || why.find("integer") != why.npos;
  if (!stricter) require(!valid);
  return 0;
}
