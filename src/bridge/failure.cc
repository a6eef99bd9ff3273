#include "bridge/failure.h"

#include "base/http.h"
#include "base/text.h"
#include "mcp/error_body.h"
#include "symptom/catalogue.h"

namespace mcp_oauth {
namespace {

int code_of(const bridge_failure& failure) {
  switch (failure.why.code) {
    case errc::body_not_json: return jsonrpc::parse_error;
    case errc::body_malformed:
    case errc::batch_refused:
    case errc::body_too_large: return jsonrpc::invalid_request;
    case errc::bridge_not_translatable: return jsonrpc::method_not_found;
    case errc::upstream_refused:
    case errc::upstream_unreachable:
    case errc::upstream_timeout:
    case errc::upstream_closed:
    case errc::upstream_tls_failed:
    case errc::upstream_proxy_refused:
    case errc::bridge_ending: return bridge_code::transport_failed;
    default: return bridge_code::upstream_refused;
  }
}

json::string text_of(std::string_view text) { return json::string(text.data(), text.size()); }

// What others said may be any bytes; a line of ours is UTF-8.
std::string readable(std::string_view text) {
  std::string out(text);
  bool valid = is_valid_utf8(out);
  for (char& c : out) {
    bool plain = (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F) &&
                 (valid || static_cast<unsigned char>(c) < 0x80);
    if (!plain) c = '?';
  }
  return out;
}

}  // namespace

std::string_view cut_text(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0U) == 0x80) --limit;
  return text.substr(0, limit);
}

std::string failure_words(const bridge_failure& failure) {
  const auto& row = explain(failure.why.code);
  std::string words;
  if (failure.why.code == errc::upstream_status || failure.why.code == errc::upstream_throttled) {
    words = "upstream returned " + std::to_string(failure.status);
    if (auto phrase = reason_phrase(failure.status); !phrase.empty()) words += " " + std::string(phrase);
  } else if (failure.why.code == errc::upstream_timeout) {
    words = "upstream timed out";
  } else {
    words = row.description;
  }
  if (!failure.why.detail.empty()) words += ": " + readable(failure.why.detail);
  return words;
}

std::string failure_answer(std::string_view program, std::string_view raw_id, const bridge_failure& failure) {
  const auto& row = explain(failure.why.code);
  json::object data;
  if (failure.status != 0) data["status"] = failure.status;
  data["code"] = text_of(row.name);
  data["symptom"] = text_of(row.id);
  if (!failure.why.detail.empty()) data["reason"] = text_of(readable(failure.why.detail));
  data["cause"] = text_of(row.cause);
  data["fix"] = text_of(failure.hint.empty() ? row.fix : std::string_view(failure.hint));
  if (!failure.said.empty() && is_valid_utf8(failure.said))
    data["body"] = text_of(cut_text(failure.said, most_said));
  std::string message(program);
  message += ": ";
  message += failure_words(failure);
  return jsonrpc_error(raw_id, code_of(failure), message, std::move(data));
}

}  // namespace mcp_oauth
